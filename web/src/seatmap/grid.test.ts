import { describe, expect, it } from 'vitest';
import { SeatGrid } from './grid';
import { defaultLayout } from './layout';
import { below, seeded } from './seeded.testkit';
import { SEAT_PITCH } from './venue';

const layout = defaultLayout(2345);
const grid = new SeatGrid(layout);

/** The slow way that the grid must agree with. */
function nearest(x: number, y: number, reach: number): number | undefined {
  let best: number | undefined;
  let distance = reach;
  for (let i = 0; i < layout.seatCount; i++) {
    const d = Math.hypot((layout.x[i] ?? 0) - x, (layout.y[i] ?? 0) - y);
    if (d <= distance) {
      best = i + 1;
      distance = d;
    }
  }
  return best;
}

describe('SeatGrid', () => {
  it('finds every seat at its own place', () => {
    for (let seat = 1; seat <= layout.seatCount; seat++) {
      expect(grid.hit(layout.x[seat - 1] ?? 0, layout.y[seat - 1] ?? 0, 5)).toBe(seat);
    }
  });

  it('agrees with looking at all seats, also outside the hall', () => {
    const random = seeded(3);
    for (let i = 0; i < 2000; i++) {
      const x = (random() * 1.2 - 0.1) * layout.bounds.width;
      const y = (random() * 1.2 - 0.1) * layout.bounds.height;
      const reach = SEAT_PITCH * (0.4 + random() * 2);
      expect(grid.hit(x, y, reach)).toBe(nearest(x, y, reach));
    }
  });

  it('visits all seats of a rectangle, each once, and counts them', () => {
    const random = seeded(4);
    for (let i = 0; i < 200; i++) {
      const rect = {
        x: random() * layout.bounds.width - 100,
        y: random() * layout.bounds.height - 100,
        width: below(random, 900),
        height: below(random, 900),
      };
      const seen: number[] = [];
      grid.visit(rect, (seat) => seen.push(seat));
      expect(grid.count(rect)).toBe(seen.length);
      const visited = new Set(seen);
      expect(visited.size).toBe(seen.length);
      for (let s = 0; s < layout.seatCount; s++) {
        const [x, y] = [layout.x[s] ?? 0, layout.y[s] ?? 0];
        const inside = x >= rect.x && y >= rect.y && x <= rect.x + rect.width && y <= rect.y + rect.height;
        if (inside) expect(visited.has(s + 1)).toBe(true);
      }
    }
  });
});
