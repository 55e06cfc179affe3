import { describe, expect, it } from 'vitest';
import { exposedStrips } from './damage';
import { below, seeded } from './seeded.testkit';

describe('exposedStrips', () => {
  it('is nothing for no movement and everything for a far one', () => {
    const frame = { width: 9, height: 7 };
    expect(exposedStrips(0, 0, frame)).toEqual([]);
    expect(exposedStrips(0, -7, frame)).toEqual([{ x: 0, y: 0, ...frame }]);
    expect(exposedStrips(50, 1, frame)).toEqual([{ x: 0, y: 0, ...frame }]);
  });

  it('covers each pixel that the moved picture does not, once', () => {
    const random = seeded(5);
    for (let i = 0; i < 300; i++) {
      const [width, height] = [1 + below(random, 12), 1 + below(random, 12)];
      const [dx, dy] = [below(random, 27) - 13, below(random, 27) - 13];
      const painted = new Uint8Array(width * height);
      for (const strip of exposedStrips(dx, dy, { width, height })) {
        for (let y = strip.y; y < strip.y + strip.height; y++) {
          for (let x = strip.x; x < strip.x + strip.width; x++) {
            painted[y * width + x] = (painted[y * width + x] ?? 0) + 1;
          }
        }
      }
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const kept = x - dx >= 0 && x - dx < width && y - dy >= 0 && y - dy < height;
          expect(painted[y * width + x]).toBe(kept ? 0 : 1);
        }
      }
    }
  });
});
