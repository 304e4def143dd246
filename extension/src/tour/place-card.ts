export interface IBox {
  left: number;
  top: number;
  width: number;
  height: number;
}
export interface ISize {
  width: number;
  height: number;
}

const gap = 14;
const edge = 8;

/** Where the card goes: beside the target, where there is room for it, else in the middle; always inside the window. */
export function placeCard(target: IBox | null, card: ISize, screen: ISize): { left: number; top: number } {
  const inside = (left: number, top: number) => ({
    left: Math.max(edge, Math.min(left, screen.width - card.width - edge)),
    top: Math.max(edge, Math.min(top, screen.height - card.height - edge))
  });
  if (!target) return inside((screen.width - card.width) / 2, (screen.height - card.height) / 2);
  const right = target.left + target.width;
  const bottom = target.top + target.height;
  if (right + gap + card.width + edge <= screen.width) return inside(right + gap, target.top);
  if (bottom + gap + card.height + edge <= screen.height) return inside(target.left, bottom + gap);
  if (target.top - gap - card.height >= edge) return inside(target.left, target.top - gap - card.height);
  if (target.left - gap - card.width >= edge) return inside(target.left - gap - card.width, target.top);
  return inside(screen.width, screen.height);
}
