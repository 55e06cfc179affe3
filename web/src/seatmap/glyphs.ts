import { LOOK_COUNT, Look } from './looks';
import type { SeatTheme } from './theme';

/** Below this radius (device pixels) a glyph's inside can't be seen; states then differ by size as well as colour. */
const GLYPH_RADIUS = 3.6;
/** Sprites are drawn anew only when the radius has changed by more than this many device pixels. */
const RADIUS_STEP = 0.05;
/** From this radius on seats stand on whole pixels, for crisp edges; smaller ones would dance out of line. */
const SNAP_RADIUS = 5;
const FULL = Math.PI * 2;

type Context = CanvasRenderingContext2D;

/**
 * Draws one seat with its glyph around a point. `plain` leaves the inside free for a number.
 * Free: full disc. Held by others: ring, half filled. Booked: disc with a cross. Blocked: thin ring with a dash.
 * Mine: disc with a check mark, once booked with a ring around it; chosen only: ring with a dot.
 */
export function drawSeat(
  c: Context,
  look: Look,
  x: number,
  y: number,
  radius: number,
  theme: SeatTheme,
  plain = false,
): void {
  if (radius < GLYPH_RADIUS) {
    drawTinySeat(c, look, x, y, radius, theme);
    return;
  }
  const line = Math.max(1, radius * 0.17);
  c.lineWidth = line;
  c.lineCap = 'round';
  c.lineJoin = 'round';
  switch (look) {
    case Look.free:
      disc(c, x, y, radius, theme.free);
      break;
    case Look.held:
      ring(c, x, y, radius - line / 2, theme.held);
      c.fillStyle = theme.held;
      c.beginPath();
      c.arc(x, y, radius - line * 0.5, Math.PI * 0.75, Math.PI * 1.75);
      c.fill();
      break;
    case Look.booked:
      disc(c, x, y, radius, theme.booked);
      stroke(c, theme.onBooked, cross(x, y, radius * 0.3));
      break;
    case Look.blocked:
      c.lineWidth = line * 0.75;
      ring(c, x, y, radius - line / 2, theme.blocked);
      stroke(c, theme.blocked, [[x - radius * 0.36, y, x + radius * 0.36, y]]);
      break;
    case Look.selected:
      c.lineWidth = line * 1.35;
      ring(c, x, y, radius - line * 0.7, theme.mine);
      if (!plain) disc(c, x, y, radius * 0.36, theme.mine);
      break;
    case Look.mineHeld:
      disc(c, x, y, radius, theme.mine);
      if (!plain) drawCheck(c, x, y, radius, theme.onMine);
      break;
    case Look.mineBooked:
      c.lineWidth = line * 0.8;
      ring(c, x, y, radius + line * 0.7, theme.mine);
      disc(c, x, y, radius - line * 0.75, theme.mine);
      if (!plain) drawCheck(c, x, y, radius * 0.9, theme.onMine);
      break;
  }
}

/** A check mark that fills about half of a disc of the given radius. */
export function drawCheck(c: Context, x: number, y: number, radius: number, colour: string): void {
  c.lineWidth = Math.max(1.2, radius * 0.22);
  c.lineCap = 'round';
  c.lineJoin = 'round';
  const r = radius;
  stroke(c, colour, [[x - r * 0.42, y + r * 0.04, x - r * 0.1, y + r * 0.36, x + r * 0.46, y - r * 0.34]]);
}

function drawTinySeat(c: Context, look: Look, x: number, y: number, radius: number, theme: SeatTheme): void {
  switch (look) {
    case Look.free:
      disc(c, x, y, radius, theme.free);
      break;
    case Look.held:
      disc(c, x, y, radius * 0.85, theme.held);
      break;
    case Look.booked:
      disc(c, x, y, radius * 0.8, theme.booked);
      break;
    case Look.blocked:
      disc(c, x, y, radius * 0.5, theme.blocked);
      break;
    default:
      disc(c, x, y, radius * 1.2, theme.mine);
      break;
  }
}

/** Pictures of all looks at one size, side by side in one bitmap, to be stamped by the thousand. */
export class SeatSprites {
  private readonly canvas = document.createElement('canvas');
  private readonly context = this.canvas.getContext('2d');
  private radius = 0;
  private plain = false;
  private cell = 0;

  /** Makes the sprites for a radius in device pixels, unless they are those already. */
  prepare(radius: number, theme: SeatTheme, plain: boolean): void {
    if (Math.abs(radius - this.radius) <= RADIUS_STEP && plain === this.plain) return;
    const c = this.context;
    if (!c) return;
    this.radius = radius;
    this.plain = plain;
    // Even, so that a sprite's middle is on a pixel's corner and whole offsets keep it there.
    this.cell = 2 * Math.ceil(radius * 1.2 + 2);
    this.canvas.width = this.cell * LOOK_COUNT;
    this.canvas.height = this.cell;
    for (const look of Object.values(Look))
      drawSeat(c, look, (look + 0.5) * this.cell, this.cell / 2, radius, theme, plain);
  }

  /** Stamps a look with its middle at a point in device pixels. */
  stamp(c: Context, look: number, x: number, y: number): void {
    const half = this.cell / 2;
    const snap = this.radius >= SNAP_RADIUS;
    const left = snap ? Math.round(x) - half : x - half;
    const top = snap ? Math.round(y) - half : y - half;
    c.drawImage(this.canvas, look * this.cell, 0, this.cell, this.cell, left, top, this.cell, this.cell);
  }

  /** Frees the bitmap. */
  destroy(): void {
    this.canvas.width = 0;
    this.canvas.height = 0;
    this.radius = 0;
  }
}

function disc(c: Context, x: number, y: number, radius: number, colour: string): void {
  c.fillStyle = colour;
  c.beginPath();
  c.arc(x, y, radius, 0, FULL);
  c.fill();
}

function ring(c: Context, x: number, y: number, radius: number, colour: string): void {
  c.strokeStyle = colour;
  c.beginPath();
  c.arc(x, y, radius, 0, FULL);
  c.stroke();
}

function stroke(c: Context, colour: string, lines: readonly (readonly number[])[]): void {
  c.strokeStyle = colour;
  c.beginPath();
  for (const line of lines) {
    c.moveTo(line[0] ?? 0, line[1] ?? 0);
    for (let i = 2; i + 1 < line.length; i += 2) c.lineTo(line[i] ?? 0, line[i + 1] ?? 0);
  }
  c.stroke();
}

function cross(x: number, y: number, r: number): number[][] {
  return [
    [x - r, y - r, x + r, y + r],
    [x + r, y - r, x - r, y + r],
  ];
}
