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
  private readonly sprites = new SeatSprites();
  private readonly scale: number;

  constructor(
    private readonly layout: Layout,
    private readonly theme: SeatTheme,
    looks: Uint8Array,
  ) {
    const { width, height } = layout.bounds;
    this.scale = Math.min(ENOUGH_PITCH / SEAT_PITCH, MAX_SIDE / width, MAX_SIDE / height);
    this.canvas.width = Math.ceil(width * this.scale);
    this.canvas.height = Math.ceil(height * this.scale);
    this.sprites.prepare(SEAT_RADIUS * this.scale, theme, false);
    for (let i = 0; i < looks.length; i++) this.put(i, looks[i] ?? Look.free);
  }

  /** Brings one seat up to date. */
  update(seat: number, look: number): void {
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
