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
/** While the zoom changes every frame is painted whole; more seats than this then come from the overview. */
const MAX_SEATS_IN_MOTION = 4000;
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
 * a changed seat repaints its own small square; zooming paints everything, from sprites or from the overview bitmap.
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
  /** Whether what it shows was painted in a hurry. */
  private coarse = false;
  /** Whether its seats come from the overview; decided when all is painted, so that patches match the rest. */
  private fromOverview = false;
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
    const zooming = painted !== undefined && painted.scale !== frame.scale;
    if (!painted || zooming || this.coarse || this.spots.size > MAX_SPOTS) {
      const seats = hall.grid.count(worldOf(frame, this.wholeCanvas()));
      this.coarse = zooming && seats > MAX_SEATS_IN_MOTION;
      const tooMany = seats > MAX_SEATS_AT_REST || SEAT_PITCH * frame.scale < MIN_SEAT_PITCH;
      this.fromOverview = this.coarse || tooMany;
      this.paint(hall, this.painter, frame, this.wholeCanvas());
    } else {
      this.scroll(hall, this.painter, frame, painted);
      for (const seat of this.spots) {
        if (seat <= hall.layout.seatCount)
          this.paint(hall, this.painter, frame, this.painter.spot(frame, seat));
      }
    }
    this.spots.clear();
    this.painted = frame;
    return this.coarse;
  }

  destroy(): void {
    this.repaintAnew();
    this.hall = undefined;
    this.canvas.width = 0;
    this.canvas.height = 0;
  }

  private repaintAnew(): void {
    this.painter?.destroy();
    this.painter = undefined;
    this.overview?.destroy();
    this.overview = undefined;
    this.painted = undefined;
  }

  private wholeCanvas(): Rect {
    return { x: 0, y: 0, width: this.canvas.width, height: this.canvas.height };
  }

  /** Moves what is on the canvas already, and paints the strips that this uncovers. */
  private scroll(hall: Hall, painter: SeatPainter, frame: Frame, painted: Frame): void {
    const dx = frame.x - painted.x;
    const dy = frame.y - painted.y;
    if (dx === 0 && dy === 0) return;
    if (Math.abs(dx) < this.canvas.width && Math.abs(dy) < this.canvas.height) {
      this.context.drawImage(this.canvas, dx, dy);
    }
    for (const strip of exposedStrips(dx, dy, this.canvas)) this.paint(hall, painter, frame, strip);
  }

  /** Paints one rectangle of the canvas, and nothing outside it. */
  private paint(hall: Hall, painter: SeatPainter, frame: Frame, rect: Rect): void {
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
    if (this.fromOverview) {
      this.overview ??= new Overview(hall.layout, this.theme, this.looks);
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
      painter.ring(c, frame, focus, { colour: this.theme.focus, width: 2.5, distance: 3 });
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
