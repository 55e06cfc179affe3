import { inflate, type Rect } from './geometry';
import { drawCheck, SeatSprites } from './glyphs';
import type { SeatGrid } from './grid';
import { type Layout, largestNumber, numberOnSeat } from './layout';
import { Look } from './looks';
import type { Frame } from './scenery';
import type { SeatTheme } from './theme';
import { SEAT_RADIUS } from './venue';

/** Numbers smaller than this (CSS pixels) can't be read and aren't drawn. */
const MIN_NUMBER_PX = 8.5;
/** From this radius (CSS pixels) on a seat of mine has room for its number above its check mark. */
const ROOMY_RADIUS_PX = 16;
/** How far glyphs reach beyond a seat's radius, as a factor: the ring of a booked seat of mine. */
const GLYPH_REACH = 1.2;
/** How far the rings of focus and mouse reach beyond the seat, in CSS pixels. */
const MARK_REACH_PX = 6;

/** A ring around a seat; lengths in CSS pixels. */
export interface SeatRing {
  readonly colour: string;
  readonly width: number;
  /** From the seat's edge to the middle of the ring. */
  readonly distance: number;
}

/** Draws seats one by one: sprites, numbers, rings. */
export class SeatPainter {
  private readonly sprites = new SeatSprites();
  /** Of the longest number on a seat. */
  private readonly digits: number;

  constructor(
    private readonly layout: Layout,
    private readonly grid: SeatGrid,
    private readonly theme: SeatTheme,
  ) {
    this.digits = String(largestNumber(layout)).length;
  }

  /** Draws all seats that reach into a part of the world, and perhaps some beside it. */
  paint(c: CanvasRenderingContext2D, frame: Frame, world: Rect, looks: Uint8Array): void {
    const radius = SEAT_RADIUS * frame.scale;
    const size = Math.min(radius * 0.85, (radius * 2.35) / this.digits);
    const numbers = size >= MIN_NUMBER_PX * frame.ratio;
    const roomy = numbers && radius >= ROOMY_RADIUS_PX * frame.ratio;
    const reach = inflate(world, SEAT_RADIUS * GLYPH_REACH + 2 / frame.scale);
    this.sprites.prepare(radius, this.theme, roomy);
    this.grid.visit(reach, (seat) => {
      const { x, y } = this.place(seat, frame);
      this.sprites.stamp(c, looks[seat - 1] ?? Look.free, x, y);
    });
    if (!numbers) return;
    c.font = `600 ${size}px ${this.theme.fontFamily}`;
    c.textAlign = 'center';
    c.textBaseline = 'alphabetic';
    this.grid.visit(reach, (seat) => {
      const look = looks[seat - 1] ?? Look.free;
      // Seats that can't be had show only their glyph: a number would invite.
      const ink = look === Look.free ? this.theme.onFree : roomy ? this.inkOfMine(look) : undefined;
      if (ink === undefined) return;
      const { x, y } = this.place(seat, frame);
      const up = look === Look.free || look === Look.selected ? 0 : radius * 0.2;
      c.fillStyle = ink;
      c.fillText(String(numberOnSeat(this.layout, seat)), Math.round(x), Math.round(y) - up + size * 0.36);
      if (up > 0) drawCheck(c, Math.round(x), Math.round(y) + radius * 0.5, radius * 0.46, ink);
    });
  }

  /** Draws a ring around a seat, with a gap that sets it off from any seat. */
  ring(c: CanvasRenderingContext2D, frame: Frame, seat: number, { colour, width, distance }: SeatRing): void {
    const { x, y } = this.place(seat, frame);
    const radius = SEAT_RADIUS * frame.scale;
    const circle = (stroke: string, r: number, line: number) => {
      c.strokeStyle = stroke;
      c.lineWidth = line * frame.ratio;
      c.beginPath();
      c.arc(Math.round(x), Math.round(y), r, 0, Math.PI * 2);
      c.stroke();
    };
    circle(this.theme.section, radius + (distance / 2) * frame.ratio, distance);
    circle(colour, radius + distance * frame.ratio, width);
  }

  /** The square (device pixels, whole so that its edges leave no seam) that a seat with all its marks may cover. */
  spot(frame: Frame, seat: number): Rect {
    const { x, y } = this.place(seat, frame);
    const reach = Math.ceil(SEAT_RADIUS * GLYPH_REACH * frame.scale + MARK_REACH_PX * frame.ratio);
    return { x: Math.round(x) - reach, y: Math.round(y) - reach, width: 2 * reach, height: 2 * reach };
  }

  /** Frees the sprites. */
  destroy(): void {
    this.sprites.destroy();
  }

  private place(seat: number, frame: Frame): { x: number; y: number } {
    return {
      x: (this.layout.x[seat - 1] ?? Number.NaN) * frame.scale + frame.x,
      y: (this.layout.y[seat - 1] ?? Number.NaN) * frame.scale + frame.y,
    };
  }

  private inkOfMine(look: number): string | undefined {
    if (look === Look.selected) return this.theme.mine;
    return look === Look.mineHeld || look === Look.mineBooked ? this.theme.onMine : undefined;
  }
}
