import type { Size } from './geometry';
import type { Layout } from './layout';
import type { SeatTheme } from './theme';
import type { View } from './view';

/** Seats that are marked on top of how they look. */
export interface SeatMarks {
  /** Where the keyboard is. */
  readonly focus: number | undefined;
  /** Where the mouse is. */
  readonly hover: number | undefined;
}

/**
 * Draws a seat map. The setters only note what changed; `draw` brings the picture up to date with as little painting
 * as that allows, and is meant to be called once per animation frame while something is pending.
 */
export interface SeatRenderer {
  /** A new hall; `looks` is indexed by seat number − 1 and as long as the layout has seats. */
  setLayout(layout: Layout, looks: Uint8Array): void;
  /** New looks of the same hall; what differs from the previous ones is repainted. */
  setLooks(looks: Uint8Array): void;
  setView(view: View): void;
  setMarks(marks: SeatMarks): void;
  setTheme(theme: SeatTheme): void;
  /** The size in CSS pixels, and how many device pixels each of them has. */
  resize(size: Size, pixelRatio: number): void;
  /** Paints what is pending. Answers whether it wants to be called for one more frame, to finish more sharply. */
  draw(): boolean;
  /** Lets go of memory; the renderer can't be used afterwards. */
  destroy(): void;
}
