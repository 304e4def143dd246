import { placeCard } from './place-card';

const screen = { width: 1_000, height: 600 };
const card = { width: 300, height: 150 };

describe('placeCard', () => {
  it.each([
    ['to the right', { left: 0, top: 100, width: 250, height: 300 }],
    ['below', { left: 700, top: 20, width: 200, height: 30 }],
    ['above', { left: 700, top: 500, width: 200, height: 80 }],
    ['to the left', { left: 600, top: 10, width: 390, height: 580 }]
  ])('puts it %s of the target, and never over it', (_, target) => {
    const { left, top } = placeCard(target, card, screen);
    const apart =
      left >= target.left + target.width ||
      left + card.width <= target.left ||
      top >= target.top + target.height ||
      top + card.height <= target.top;
    expect(apart).toBe(true);
  });

  it.each([null, { left: 0, top: 0, width: 1_000, height: 600 }, { left: -500, top: 5_000, width: 10, height: 10 }])(
    'stays inside the window for %p',
    (target) => {
      const { left, top } = placeCard(target, card, screen);
      expect(left).toBeGreaterThanOrEqual(0);
      expect(top).toBeGreaterThanOrEqual(0);
      expect(left + card.width).toBeLessThanOrEqual(screen.width);
      expect(top + card.height).toBeLessThanOrEqual(screen.height);
    }
  );
});
