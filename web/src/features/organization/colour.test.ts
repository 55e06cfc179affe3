import { describe, expect, it } from 'vitest';
import {
  accentStyle,
  CONTROL_CONTRAST,
  contrast,
  palettes,
  readColour,
  surfacesOf,
  TEXT_CONTRAST,
  textOn,
} from './colour';

// Every eighth level of each channel at its ends and between, and the nastiest.
const LEVELS = ['00', '33', '66', '80', '99', 'cc', 'ff'];
const COLOURS = LEVELS.flatMap((r) => LEVELS.flatMap((g) => LEVELS.map((b) => `#${r}${g}${b}`)));

describe('an organization’s colour', () => {
  it.each(['light', 'dark'] as const)('is readable on a %s page, whichever was chosen', (theme) => {
    for (const colour of COLOURS) {
      const palette = palettes(colour)[theme];
      const found = {
        'text on a button': contrast(palette.on, palette.accent),
        'text on a pressed button': contrast(palette.on, palette.hover),
        'a link': Math.min(
          ...[...surfacesOf(theme), palette.soft].map((surface) => contrast(palette.ink, surface)),
        ),
      };
      for (const [what, ratio] of Object.entries(found)) {
        expect(ratio, `${what} with ${colour}`).toBeGreaterThanOrEqual(TEXT_CONTRAST);
      }
      const edge = Math.min(...surfacesOf(theme).map((surface) => contrast(palette.accent, surface)));
      expect(edge, `a button's edge with ${colour}`).toBeGreaterThanOrEqual(CONTROL_CONTRAST);
    }
  });

  it('carries letters that can be read on it as it is', () => {
    for (const colour of COLOURS) {
      expect(contrast(textOn(colour), colour), colour).toBeGreaterThanOrEqual(TEXT_CONTRAST);
    }
  });

  it('stays as chosen where that is readable', () => {
    expect(palettes('#0b5fff').light.accent).toBe('#0b5fff');
    expect(palettes('#0b5fff').light.ink).toBe('#0b5fff');
    expect(palettes('#f5b301').dark.accent).toBe('#f5b301');
    expect(palettes('#f5b301').dark.on).toBe('#000000');
  });

  it('is read with or without #, and as nothing where it is none', () => {
    expect(readColour(' A1B2C3 ')).toBe('#a1b2c3');
    expect(readColour('#A1B2C3')).toBe('#a1b2c3');
    for (const wrong of ['', '#fff', 'red', '#12345g', '#1234567', 'url(x)']) {
      expect(readColour(wrong)).toBeNull();
      expect(accentStyle(wrong)).toBeUndefined();
    }
    expect(accentStyle(null)).toBeUndefined();
  });
});
