import type { Page } from '@playwright/test';
import { expect } from './fixtures.ts';

// What the witnesses leave in a page's window.
declare global {
  interface Window {
    happeningLoaded?: boolean;
    happeningRang?: number;
    happeningPointers?: string[];
    happeningPressed?: number;
    happeningSeen?: Record<string, number>;
  }
}

/** Witnesses that a page is not loaded again: what is asked for must come to it. */
export async function watchReloads(page: Page): Promise<() => Promise<void>> {
  await page.evaluate(() => {
    window.happeningLoaded = true;
  });
  return async () => {
    expect(await page.evaluate(() => window.happeningLoaded), 'the page was never loaded again').toBe(true);
  };
}

/** Witnesses that nobody touches the page with mouse, pen or finger. */
export async function watchPointers(page: Page): Promise<() => Promise<void>> {
  await page.evaluate(() => {
    window.happeningPointers = [];
    for (const type of ['pointerdown', 'pointermove', 'wheel', 'touchstart']) {
      addEventListener(type, () => window.happeningPointers?.push(type), { capture: true, passive: true });
    }
  });
  return async () => {
    expect(await page.evaluate(() => window.happeningPointers), 'pointer events').toEqual([]);
  };
}

/** Notes when the page was last pressed, by the machine's clock. */
export async function watchPresses(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    addEventListener(
      'pointerup',
      () => {
        window.happeningPressed = Date.now();
      },
      { capture: true },
    );
  });
  return async () => (await page.evaluate(() => window.happeningPressed)) ?? Number.NaN;
}

/**
 * Notes when a seat is first told as in a state, by the machine's clock, which
 * all pages share. The page itself notes it: asking from outside takes longer
 * than what is measured.
 */
export async function watchSeat(page: Page, number: number, state: string): Promise<() => Promise<number>> {
  const key = `${number} ${state}`;
  await page.evaluate(
    ({ number, state, key }) => {
      const grid = document.querySelector('[role="grid"]');
      if (!grid) throw new Error('there is no map to watch');
      const look = () => {
        const text = grid.querySelector(`[data-seat="${number}"]`)?.textContent ?? '';
        if (!text.endsWith(`, ${state}`)) return;
        window.happeningSeen = { ...window.happeningSeen, [key]: Date.now() };
        observer.disconnect();
      };
      const observer = new MutationObserver(look);
      observer.observe(grid, { subtree: true, childList: true, characterData: true });
      look();
    },
    { number, state, key },
  );
  return async () => {
    await page.waitForFunction((k) => window.happeningSeen?.[k] !== undefined, key);
    return page.evaluate((k) => window.happeningSeen?.[k] ?? Number.NaN, key);
  };
}

/** Notes when the bell first tells of something unread, by the machine's clock. */
export async function watchBell(page: Page): Promise<() => Promise<number>> {
  await page.evaluate(() => {
    const look = () => {
      if (!document.querySelector('[aria-label$="unread"]')) return;
      window.happeningRang = Date.now();
      observer.disconnect();
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, { subtree: true, childList: true, attributeFilter: ['aria-label'] });
    look();
  });
  return async () => {
    await page.waitForFunction(() => window.happeningRang !== undefined);
    return (await page.evaluate(() => window.happeningRang)) ?? Number.NaN;
  };
}
