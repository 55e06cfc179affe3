import { SeatSprites } from './glyphs';
import type { Layout } from './layout';
import { Look } from './looks';
import type { Frame } from './scenery';
import type { SeatTheme } from './theme';
import { SEAT_PITCH, SEAT_RADIUS } from './venue';

/** The bitmap's longer side at most, in pixels; 100,000 seats then still have four pixels each. */
const MAX_SIDE = 3072;
/** Seats of this distance (bitmap pixels) are as good as any: larger ones are drawn by themselves. */
const ENOUGH_PITCH = 7;
/** Below this radius (bitmap pixels) a square is no worse than a disc, and much faster. */
const SQUARE_RADIUS = 1.4;

/**
 * A picture of all seats, kept up to date seat by seat, for when there are too many on the screen to draw each of
 * them in every frame: zoomed out far, or while the zoom changes. Transparent between the seats.
 */
export class Overview {
  private readonly canvas = document.createElement('canvas');
  private readonly context = this.canvas.getContext('2d');
  private readonly pixel = document.createElement('canvas').getContext('2d');
  private readonly sprites = new SeatSprites();
  private readonly scale: number;
  /** Seats up to this number are in the picture. */
  private filled = 0;

  /** An empty picture, to be filled. */
  constructor(
    private readonly layout: Layout,
    private readonly theme: SeatTheme,
  ) {
    const { width, height } = layout.bounds;
    this.scale = Math.min(ENOUGH_PITCH / SEAT_PITCH, MAX_SIDE / width, MAX_SIDE / height);
    this.canvas.width = Math.ceil(width * this.scale);
    this.canvas.height = Math.ceil(height * this.scale);
    this.sprites.prepare(SEAT_RADIUS * this.scale, theme, false);
  }

  /** Puts so many more seats into the picture, so that it can be made over several frames. Answers whether all are. */
  fill(looks: Uint8Array, seats: number): boolean {
    const end = Math.min(looks.length, this.filled + seats);
    for (let i = this.filled; i < end; i++) this.put(i, looks[i] ?? Look.free);
    if (this.filled < end) this.settle();
    this.filled = end;
    return end === looks.length;
  }

  /** Brings one seat up to date; one that isn't in the picture yet will be filled in as it is then. */
  update(seat: number, look: number): void {
    if (seat > this.filled) return;
    const i = seat - 1;
    const radius = SEAT_RADIUS * this.scale * 1.25;
    const x = (this.layout.x[i] ?? 0) * this.scale;
    const y = (this.layout.y[i] ?? 0) * this.scale;
    this.context?.clearRect(x - radius, y - radius, 2 * radius, 2 * radius);
    this.put(i, look);
  }

  /** Draws the picture where the frame puts it. */
  draw(c: CanvasRenderingContext2D, frame: Frame): void {
    const zoom = frame.scale / this.scale;
    c.imageSmoothingEnabled = true;
    c.imageSmoothingQuality = zoom < 0.5 ? 'medium' : 'low';
    c.drawImage(this.canvas, frame.x, frame.y, this.canvas.width * zoom, this.canvas.height * zoom);
  }

  /** Frees the bitmap, which the browser might otherwise keep for a while. */
  destroy(): void {
    this.canvas.width = 0;
    this.canvas.height = 0;
    this.sprites.destroy();
  }

  /**
   * Makes the browser paint what it has only recorded so far, which using the picture does: else all of it would be
   * painted at its first use, in the middle of somebody's zoom.
   */
  private settle(): void {
    this.pixel?.drawImage(this.canvas, 0, 0, 1, 1, 0, 0, 1, 1);
  }

  private put(i: number, look: number): void {
    const c = this.context;
    if (!c) return;
    const x = (this.layout.x[i] ?? 0) * this.scale;
    const y = (this.layout.y[i] ?? 0) * this.scale;
    const radius = SEAT_RADIUS * this.scale;
    if (radius >= SQUARE_RADIUS) {
      this.sprites.stamp(c, look, x, y);
      return;
    }
    const half = radius * (look === Look.booked || look === Look.blocked ? 0.7 : 0.9);
    c.fillStyle = this.colourOf(look);
    c.fillRect(x - half, y - half, 2 * half, 2 * half);
  }

  private colourOf(look: number): string {
    switch (look) {
      case Look.free:
        return this.theme.free;
      case Look.held:
        return this.theme.held;
      case Look.booked:
        return this.theme.booked;
      case Look.blocked:
        return this.theme.blocked;
      default:
        return this.theme.mine;
    }
  }
}
