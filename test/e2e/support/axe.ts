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
    let told = await breaches(page, rules);
    // On a busy machine the browser may still be changing the theme. What is
    // wrong with a screen is still wrong when it is looked at again.
    for (let again = 0; told.length > 0 && again < SECOND_LOOKS; again++) told = await breaches(page, rules);
    expect.soft(told, `axe on ${screen}, ${colorScheme}`).toEqual([]);
  }
}

const SECOND_LOOKS = 2;

async function breaches(page: Page, rules: readonly string[] | null): Promise<string[]> {
  await settled(page);
  // Legacy mode spares a page per analysis; only frames of other origins need one.
  const axe = new AxeBuilder({ page }).options({ resultTypes: ['violations'] }).setLegacyMode(true);
  const { violations } = await (rules ? axe.withRules([...rules]) : axe).analyze();
  return violations.flatMap((v) =>
    v.nodes.map((node) => `${v.id}: ${node.target.join(' ')}: ${node.failureSummary ?? v.help}`),
  );
}

/** Waits until nothing on the screen loads or moves any more: half-faded text has no contrast. */
export async function settled(page: Page): Promise<void> {
  await expect(page.locator('[aria-busy="true"], .animate-pulse')).toHaveCount(0);
  await page.evaluate(async () => {
    await document.fonts.ready;
    const frame = () => new Promise((painted) => requestAnimationFrame(painted));
    // A colour that has faded lets what inherits it begin to fade a frame later.
    for (let calm = 0; calm < 3; ) {
      await frame();
      const finite = document
        .getAnimations()
        .filter(
          (a) =>
            a.playState === 'running' && a.effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY,
        );
      calm = finite.length > 0 ? 0 : calm + 1;
      await Promise.allSettled(finite.map((a) => a.finished));
    }
  });
}
