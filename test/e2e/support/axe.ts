import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { expect } from './fixtures.ts';
import type { Inspect } from './people.ts';

const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

/** Asserts that axe finds nothing on the screen, light and dark. */
export const accessible: Inspect = async (page, screen) => {
  await inBothThemes(page, screen);
};

/** The same at desktop and at phone width, for the screens that people mostly see. */
export const accessibleEverywhere: Inspect = async (page, screen) => {
  const before = page.viewportSize() ?? DESKTOP;
  for (const [name, size] of [
    ['desktop', DESKTOP],
    ['phone', PHONE],
  ] as const) {
    await page.setViewportSize(size);
    await inBothThemes(page, `${screen}, ${name}`);
  }
  await page.setViewportSize(before);
};

// A theme changes colours and nothing else, so that the dark one is only asked
// about these.
const THEMES = [
  { colorScheme: 'dark', rules: ['color-contrast', 'link-in-text-block'] },
  { colorScheme: 'light', rules: null },
] as const;

async function inBothThemes(page: Page, screen: string): Promise<void> {
  for (const { colorScheme, rules } of THEMES) {
    await page.emulateMedia({ colorScheme });
    await settled(page);
    // Legacy mode spares a page per analysis; only frames of other origins need one.
    const axe = new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).setLegacyMode(true);
    const { violations } = await (rules ? axe.withRules([...rules]) : axe).analyze();
    const told = violations.flatMap((v) =>
      v.nodes.map((node) => `${v.id}: ${node.target.join(' ')}: ${node.failureSummary ?? v.help}`),
    );
    expect.soft(told, `axe on ${screen}, ${colorScheme}`).toEqual([]);
  }
}

/** Waits until nothing on the screen loads or moves any more: half-faded text has no contrast. */
export async function settled(page: Page): Promise<void> {
  await expect(page.locator('[aria-busy="true"], .animate-pulse')).toHaveCount(0);
  await page.evaluate(async () => {
    await document.fonts.ready;
    const finite = document
      .getAnimations()
      .filter((a) => a.effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY);
    await Promise.allSettled(finite.map((a) => a.finished));
    await new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted)));
  });
}
