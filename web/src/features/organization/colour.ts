// An organization chooses any colour; what is drawn with it must be readable on
// both themes. Hue and, as far as the screen can, strength stay as chosen;
// lightness moves until the contrasts of WCAG 2.2 hold. Lightness is moved in
// OKLab (Björn Ottosson), where it means the same for every hue.
import type { CSSProperties } from 'react';

/** Contrast of text with what lies under it, and of a control with what lies around it. */
export const TEXT_CONTRAST = 4.5;
export const CONTROL_CONTRAST = 3;

type Rgb = readonly [number, number, number];

export interface Palette {
  /** Fills of buttons and meters. */
  readonly accent: string;
  readonly hover: string;
  /** Text and icons on either fill. */
  readonly on: string;
  /** Links and small text on the page and on `soft`. */
  readonly ink: string;
  readonly soft: string;
}

// The surfaces of styles/tokens.css as lightness, chroma and hue.
const LIGHT_SURFACES = [lch(0.985, 0.003, 285), lch(1, 0, 285), lch(0.962, 0.005, 285)];
const DARK_SURFACES = [
  lch(0.168, 0.011, 285),
  lch(0.208, 0.013, 285),
  lch(0.24, 0.015, 285),
  lch(0.252, 0.015, 285),
];
const WHITE: Rgb = [1, 1, 1];
const BLACK: Rgb = [0, 0, 0];
const STEP = 0.01;

/** Reads "#rrggbb" or "rrggbb"; null for what is no colour. */
export function readColour(text: string): string | null {
  const hex = /^\s*#?([0-9a-f]{6})\s*$/i.exec(text)?.[1];
  return hex ? `#${hex.toLowerCase()}` : null;
}

/** What is drawn with an organization's colour on a light and on a dark page. */
export function palettes(colour: string): { light: Palette; dark: Palette } {
  return { light: paletteOn(colour, false), dark: paletteOn(colour, true) };
}

function paletteOn(colour: string, dark: boolean): Palette {
  const [l, c, h] = toLch(parse(colour));
  const surfaces = dark ? DARK_SURFACES : LIGHT_SURFACES;
  const away = dark ? STEP : -STEP;
  const soft = dark ? lch(0.285, Math.min(c, 0.06), h) : lch(0.955, Math.min(c, 0.025), h);
  const accentL = walk(l, away, (at) => {
    const fill = lch(at, c, h);
    return against(fill, surfaces) >= CONTROL_CONTRAST && best(fill) >= TEXT_CONTRAST;
  });
  const accent = lch(accentL, c, h);
  const on = onTop(accent);
  const lift = luminance(on) > 0.5 ? -STEP : STEP;
  // Pressed towards the side on which the text on it stays readable.
  const hover = lch(accentL + lift * 5, c, h);
  const inkL = walk(l, away, (at) => against(lch(at, c, h), [...surfaces, soft]) >= TEXT_CONTRAST);
  return { accent: hex(accent), hover: hex(hover), on: hex(on), ink: hex(lch(inkL, c, h)), soft: hex(soft) };
}

/** The variables that give everything inside an element an organization's colour. */
export function accentStyle(colour: string | null | undefined): CSSProperties | undefined {
  const chosen = colour ? readColour(colour) : null;
  if (!chosen) return undefined;
  const { light, dark } = palettes(chosen);
  const both = (part: keyof Palette) => `light-dark(${light[part]}, ${dark[part]})`;
  return {
    '--accent': both('accent'),
    '--accent-hover': both('hover'),
    '--on-accent': both('on'),
    '--accent-ink': both('ink'),
    '--accent-soft': both('soft'),
  } as CSSProperties;
}

/** Black or white, whichever is read better on a colour. */
export function textOn(colour: string): string {
  const fill = parse(colour);
  return ratio(fill, WHITE) >= ratio(fill, BLACK) ? '#ffffff' : '#000000';
}

/** WCAG's contrast of two colours, 1 to 21. */
export function contrast(a: string, b: string): number {
  return ratio(parse(a), parse(b));
}

/** The surfaces that colours are made readable on, for tests. */
export function surfacesOf(theme: 'light' | 'dark'): string[] {
  return (theme === 'dark' ? DARK_SURFACES : LIGHT_SURFACES).map(hex);
}

function walk(from: number, step: number, good: (l: number) => boolean): number {
  let l = from;
  while (!good(l) && l + step > 0 && l + step < 1) l += step;
  return l;
}

function against(colour: Rgb, surfaces: readonly Rgb[]): number {
  return Math.min(...surfaces.map((surface) => ratio(colour, surface)));
}

function onTop(fill: Rgb): Rgb {
  return ratio(fill, WHITE) >= TEXT_CONTRAST ? WHITE : BLACK;
}

function best(fill: Rgb): number {
  return ratio(fill, onTop(fill));
}

function ratio(a: Rgb, b: Rgb): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

function luminance([r, g, b]: Rgb): number {
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

function linear(v: number): number {
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}

function gamma(v: number): number {
  return v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055;
}

function parse(colour: string): Rgb {
  const n = Number.parseInt(colour.slice(1), 16);
  return [(n >> 16) / 255, ((n >> 8) & 255) / 255, (n & 255) / 255];
}

function hex(rgb: Rgb): string {
  return `#${rgb
    .map((v) =>
      Math.round(v * 255)
        .toString(16)
        .padStart(2, '0'),
    )
    .join('')}`;
}

function toLch(rgb: Rgb): [number, number, number] {
  const [r, g, b] = rgb.map(linear) as [number, number, number];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  const A = 1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s;
  const B = 0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s;
  const L = 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s;
  return [L, Math.hypot(A, B), (Math.atan2(B, A) * 180) / Math.PI];
}

// Chroma gives way where a screen can't show the colour at that lightness, and
// the result is what a screen will show: rounded to 8 bits.
function lch(l: number, chroma: number, hue: number): Rgb {
  for (let c = chroma; ; c = c < 0.004 ? 0 : c * 0.93) {
    const rgb = fromLch(l, c, hue);
    if (c === 0 || rgb.every((v) => v >= -0.0005 && v <= 1.0005)) {
      return rgb.map((v) => Math.round(Math.min(1, Math.max(0, v)) * 255) / 255) as unknown as Rgb;
    }
  }
}

function fromLch(L: number, c: number, hue: number): Rgb {
  const a = c * Math.cos((hue * Math.PI) / 180);
  const b = c * Math.sin((hue * Math.PI) / 180);
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    gamma(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    gamma(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    gamma(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}
