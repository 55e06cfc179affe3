import type { Locator, Page } from '@playwright/test';
import { expect } from './fixtures.ts';

/** Steps of the search for a seat on the map; less than the seats' distance in a small hall. */
const SEARCH_STEP_PX = 9;

/** The seat as keyboard and screen reader have it; its name tells its state. */
export function seat(page: Page, number: number): Locator {
  return page.getByRole('gridcell', { name: new RegExp(`, seat ${number}, `) });
}

/** Expects seats to be told as in a state, for instance "free" or "sold". */
export async function expectSeats(
  page: Page,
  numbers: number[],
  state: string,
  timeout?: number,
): Promise<void> {
  for (const number of numbers) {
    await expect(seat(page, number)).toHaveText(new RegExp(`, seat ${number}, ${state}$`), { timeout });
  }
}

/** All seats' states as the map tells them, in order. */
export async function statesOf(page: Page): Promise<string[]> {
  const names = await page.getByRole('gridcell').allTextContents();
  return names.map((name) => name.split(', ').at(-1) ?? '');
}

/**
 * Finds a seat on the drawn map, in the page's pixels, as a person does: by
 * moving over it until the label says that this is the one. The search itself
 * is made of events inside the page, since a real mouse would take seconds.
 */
export async function findOnMap(page: Page, number: number): Promise<{ x: number; y: number }> {
  const map = page.getByTestId('seat-map');
  const found = await map.evaluate(
    async (host, { number, step }) => {
      const canvas = host.querySelector('canvas');
      if (!canvas) throw new Error('the map has no canvas');
      // In the middle nothing that floats at the edges lies over it.
      canvas.scrollIntoView({ block: 'center', behavior: 'instant' });
      const { left, top, right, bottom } = canvas.getBoundingClientRect();
      const over = (x: number, y: number) => {
        const at = { clientX: x, clientY: y, pointerType: 'mouse', pointerId: 1, bubbles: true };
        if (document.elementFromPoint(x, y) !== canvas) return false;
        canvas.dispatchEvent(new PointerEvent('pointermove', at));
        return canvas.style.cursor !== 'grab';
      };
      const frame = () => new Promise((next) => requestAnimationFrame(next));
      for (let y = Math.max(top, 0) + step / 2; y < Math.min(bottom, innerHeight); y += step) {
        for (let x = left + step / 2; x < right; x += step) {
          if (!over(x, y)) continue;
          await frame();
          await frame();
          const label = host.parentElement?.querySelector('.floating')?.textContent ?? '';
          if (label.includes(`Seat ${number} `)) return { x, y };
        }
      }
      return null;
    },
    { number, step: SEARCH_STEP_PX },
  );
  if (!found) throw new Error(`seat ${number} is not on the map`);
  return found;
}
