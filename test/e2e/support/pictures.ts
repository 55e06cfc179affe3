import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Page } from '@playwright/test';
import { settled } from './axe.ts';
import { expect } from './fixtures.ts';

const ROOT = resolve(import.meta.dirname, '..');
const TARGET = process.env.UPDATE_SCREENSHOTS ? resolve(ROOT, '../../docs/screenshots') : join(ROOT, 'out');
const MAX_BYTES = 300_000;
const WEBP_QUALITY = 90;
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } };

/** Scrolls to the seats, or to the top of their page. */
export async function showSeats(page: Page, down: boolean): Promise<void> {
  await page.getByRole('heading', { name: 'Choose your seats' }).evaluate((heading, to) => {
    scrollTo({ top: 0, behavior: 'instant' });
    if (to) heading.scrollIntoView({ block: 'start', behavior: 'instant' });
  }, down);
}

/**
 * Takes a screen at both sizes, light and dark. Pictures go to out/, and into
 * docs/ when UPDATE_SCREENSHOTS=1.
 */
export async function take(
  page: Page,
  name: string,
  scroll: (size: keyof typeof SIZES) => Promise<void> = async () => undefined,
): Promise<void> {
  await mkdir(TARGET, { recursive: true });
  const before = page.viewportSize();
  for (const size of ['desktop', 'phone'] as const) {
    await page.setViewportSize(SIZES[size]);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme });
      await scroll(size);
      await settled(page);
      const file = `${name}-${size}-${colorScheme}.webp`;
      const picture = await webp(page);
      expect(picture.length, `bytes of ${file}`).toBeLessThan(MAX_BYTES);
      await writeFile(join(TARGET, file), picture);
    }
  }
  if (before) await page.setViewportSize(before);
  await page.emulateMedia({ colorScheme: 'light' });
}

// Playwright writes PNG and JPEG; the covers' gradients make the one large and
// the letters make the other ugly.
async function webp(page: Page): Promise<Buffer> {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: WEBP_QUALITY });
  await session.detach();
  return Buffer.from(data, 'base64');
}
