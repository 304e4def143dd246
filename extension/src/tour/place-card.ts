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

/** Where the card goes: beside the target where there is room, else in a corner of it; below where there is no target. */
export function placeCard(target: IBox | null, card: ISize, screen: ISize): { left: number; top: number } {
  const inside = (left: number, top: number) => ({
    left: Math.max(edge, Math.min(left, screen.width - card.width - edge)),
    top: Math.max(edge, Math.min(top, screen.height - card.height - edge))
  });
  if (!target) return inside((screen.width - card.width) / 2, screen.height);
  const right = target.left + target.width;
  const bottom = target.top + target.height;
  if (right + gap + card.width + edge <= screen.width) return inside(right + gap, target.top);
  if (bottom + gap + card.height + edge <= screen.height) return inside(target.left, bottom + gap);
  if (target.top - gap - card.height >= edge) return inside(target.left, target.top - gap - card.height);
  if (target.left - gap - card.width >= edge) return inside(target.left - gap - card.width, target.top);
  // Within it, at its lower left: the notifications of Lab come at the right.
  return inside(target.left + gap, Math.min(bottom, screen.height) - card.height - gap);
}
