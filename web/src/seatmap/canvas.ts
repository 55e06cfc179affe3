import { exposedStrips } from './damage';
import { overlaps, type Rect, type Size } from './geometry';
import { SeatGrid } from './grid';
import type { Layout } from './layout';
import { changedLooks, Look } from './looks';
import { Overview } from './overview';
import type { SeatMarks, SeatRenderer } from './renderer';
import { type Frame, Scenery } from './scenery';
import { SeatPainter } from './seatpaint';
import type { SeatTheme } from './theme';
import { SEAT_PITCH } from './venue';
import type { View } from './view';

/** More device pixels than this per CSS pixel can't be seen and cost memory. */
const MAX_PIXEL_RATIO = 3;
/** More changed seats than this on the screen are painted at once rather than one by one. */
const MAX_SPOTS = 256;
/** More seats than this aren't drawn one by one in one frame: sprites cost a few microseconds each. */
const MAX_SEATS_PER_FRAME = 2500;
/** More seats than this on the screen always come from the overview: nobody can tell them apart. */
const MAX_SEATS_AT_REST = 40_000;
/** Below this distance of seats (device pixels) the overview looks as good as the seats. */
const MIN_SEAT_PITCH = 2.5;

interface Hall {
  readonly layout: Layout;
  readonly grid: SeatGrid;
  readonly scenery: Scenery;
}

/**
 * A SeatRenderer on a 2D canvas. Panning moves the picture by whole pixels and paints only what came in at the edges;
 * a changed seat repaints its own small square; zooming paints everything, where there are many seats first from the
 * overview bitmap and then, once the zoom rests, seat by seat in bands of a frame each.
 */
export class CanvasSeatRenderer implements SeatRenderer {
  private readonly context: CanvasRenderingContext2D;
  private hall: Hall | undefined;
  private looks = new Uint8Array();
  /** Both are made when first needed, and anew for another hall or theme. */
  private painter: SeatPainter | undefined;
  private overview: Overview | undefined;
  private view: View = { scale: 1, x: 0, y: 0 };
  private marks: SeatMarks = { focus: undefined, hover: undefined };
  private ratio = 1;
  /** What the canvas shows now; undefined when it shows nothing of use. */
  private painted: Frame | undefined;
  /** Parts of it that were painted in a hurry and wait to be sharpened, in device pixels. */
  private blurred: readonly Rect[] = [];
  /** Whether the seats are too many or too small to be drawn one by one even at rest. */
  private seatsTooSmall = false;
  private readonly spots = new Set<number>();

  /** Throws an Error where the browser gives no 2D context. `stageLabel` is the word on the stage. */
  constructor(
    private readonly canvas: HTMLCanvasElement,
    private theme: SeatTheme,
    private readonly stageLabel: string,
  ) {
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('no 2D drawing in this browser');
    this.context = context;
  }

  setLayout(layout: Layout, looks: Uint8Array): void {
    this.hall = { layout, grid: new SeatGrid(layout), scenery: new Scenery(layout, this.stageLabel) };
    this.looks = looks.slice();
    this.repaintAnew();
  }

  setLooks(looks: Uint8Array): void {
    for (const seat of changedLooks(this.looks, looks)) {
      this.overview?.update(seat, looks[seat - 1] ?? Look.free);
      this.spots.add(seat);
    }
    this.looks = looks.slice();
  }

  setView(view: View): void {
    this.view = view;
  }

  setMarks(marks: SeatMarks): void {
    for (const mark of ['focus', 'hover'] as const) {
      const before = this.marks[mark];
      const after = marks[mark];
      if (before === after) continue;
      if (before !== undefined) this.spots.add(before);
      if (after !== undefined) this.spots.add(after);
    }
    this.marks = marks;
  }

  setTheme(theme: SeatTheme): void {
    this.theme = theme;
    this.repaintAnew();
  }

  resize(size: Size, pixelRatio: number): void {
    const ratio = Math.min(pixelRatio, MAX_PIXEL_RATIO);
    const width = Math.max(1, Math.round(size.width * ratio));
    const height = Math.max(1, Math.round(size.height * ratio));
    if (width === this.canvas.width && height === this.canvas.height && ratio === this.ratio) return;
    this.ratio = ratio;
    this.canvas.width = width;
    this.canvas.height = height;
    this.painted = undefined;
  }

  draw(): boolean {
    const { hall, painted } = this;
    if (!hall) return false;
    const frame: Frame = {
      scale: this.view.scale * this.ratio,
      x: Math.round(this.view.x * this.ratio),
      y: Math.round(this.view.y * this.ratio),
      ratio: this.ratio,
    };
    this.painter ??= new SeatPainter(hall.layout, hall.grid, this.theme);
    if (painted?.scale === frame.scale && this.spots.size <= MAX_SPOTS) {
      this.scroll(hall, this.painter, frame, painted);
      this.patch(hall, this.painter, frame);
    } else {
      this.paintAll(hall, this.painter, frame, painted !== undefined);
    }
    this.spots.clear();
    this.painted = frame;
    return this.prepareOverview(hall) || this.blurred.length > 0;
  }

  destroy(): void {
    this.repaintAnew();
    this.hall = undefined;
    this.canvas.width = 0;
    this.canvas.height = 0;
  }

  /** Makes the overview ahead of the first zoom, a little in each frame. Answers whether there is more to do. */
  private prepareOverview(hall: Hall): boolean {
    if (hall.layout.seatCount <= MAX_SEATS_PER_FRAME) return false;
    this.overview ??= new Overview(hall.layout, this.theme);
    return !this.overview.fill(this.looks, MAX_SEATS_PER_FRAME);
  }

  private repaintAnew(): void {
    this.painter?.destroy();
    this.painter = undefined;
    this.overview?.destroy();
    this.overview = undefined;
    this.painted = undefined;
    this.blurred = [];
  }

  private wholeCanvas(): Rect {
    return { x: 0, y: 0, width: this.canvas.width, height: this.canvas.height };
  }

  /** Paints everything; `inMotion` in a hurry, if that is needed. */
  private paintAll(hall: Hall, painter: SeatPainter, frame: Frame, inMotion: boolean): void {
    const whole = this.wholeCanvas();
    const seats = hall.grid.count(worldOf(frame, whole));
    this.seatsTooSmall = seats > MAX_SEATS_AT_REST || SEAT_PITCH * frame.scale < MIN_SEAT_PITCH;
    const hurry = inMotion && !this.seatsTooSmall && seats > MAX_SEATS_PER_FRAME;
    this.paint(hall, painter, frame, whole, hurry || this.seatsTooSmall);
    this.blurred = hurry ? bands(whole, Math.ceil(seats / MAX_SEATS_PER_FRAME)) : [];
  }

  /** Paints the seats that changed, and sharpens one of the parts that were painted in a hurry. */
  private patch(hall: Hall, painter: SeatPainter, frame: Frame): void {
    for (const seat of this.spots) {
      this.paint(hall, painter, frame, painter.spot(frame, seat), this.seatsTooSmall);
    }
    const [next, ...rest] = this.blurred;
    if (next) this.paint(hall, painter, frame, next, false);
    this.blurred = rest;
  }

  /** Moves what is on the canvas already, and paints the strips that this uncovers. */
  private scroll(hall: Hall, painter: SeatPainter, frame: Frame, painted: Frame): void {
    const dx = frame.x - painted.x;
    const dy = frame.y - painted.y;
    if (dx === 0 && dy === 0) return;
    const whole = this.wholeCanvas();
    if (Math.abs(dx) < whole.width && Math.abs(dy) < whole.height) {
      this.context.drawImage(this.canvas, dx, dy);
    }
    for (const strip of exposedStrips(dx, dy, whole)) {
      this.paint(hall, painter, frame, strip, this.seatsTooSmall);
    }
    this.blurred = this.blurred
      .map((band) => ({ ...band, x: band.x + dx, y: band.y + dy }))
      .filter((band) => overlaps(band, whole));
  }

  /** Paints one rectangle of the canvas, and nothing outside it. */
  private paint(hall: Hall, painter: SeatPainter, frame: Frame, rect: Rect, fromOverview: boolean): void {
    if (!overlaps(rect, this.wholeCanvas())) return;
    const c = this.context;
    const world = worldOf(frame, rect);
    c.save();
    c.beginPath();
    c.rect(rect.x, rect.y, rect.width, rect.height);
    c.clip();
    c.fillStyle = this.theme.background;
    c.fillRect(rect.x, rect.y, rect.width, rect.height);
    hall.scenery.drawBelow(c, frame, world, this.theme);
    if (fromOverview) {
      this.overview ??= new Overview(hall.layout, this.theme);
      this.overview.fill(this.looks, hall.layout.seatCount);
      this.overview.draw(c, frame);
    } else {
      painter.paint(c, frame, world, this.looks);
    }
    hall.scenery.drawAbove(c, frame, world, this.theme);
    const { focus, hover } = this.marks;
    if (hover !== undefined && hover !== focus) {
      painter.ring(c, frame, hover, { colour: this.theme.hover, width: 1.5, distance: 2 });
    }
    if (focus !== undefined) {
      painter.ring(c, frame, focus, { colour: this.theme.focus, width: 3, distance: 3.5 });
    }
    c.restore();
  }
}

function worldOf(frame: Frame, rect: Rect): Rect {
  return {
    x: (rect.x - frame.x) / frame.scale,
    y: (rect.y - frame.y) / frame.scale,
    width: rect.width / frame.scale,
    height: rect.height / frame.scale,
  };
}

/** Cuts a rectangle into so many bands from top to bottom, on whole pixels. */
function bands(rect: Rect, count: number): Rect[] {
  const height = Math.ceil(rect.height / count);
  return Array.from({ length: count }, (_, i) => ({ ...rect, y: rect.y + i * height, height }));
}
