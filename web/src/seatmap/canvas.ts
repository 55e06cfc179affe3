import { exposedStrips } from './damage';
import { inflate, overlaps, type Rect, type Size } from './geometry';
import { drawCheck, SeatSprites } from './glyphs';
import { SeatGrid } from './grid';
import type { Layout } from './layout';
import { changedLooks, Look } from './looks';
import { Overview } from './overview';
import type { SeatMarks, SeatRenderer } from './renderer';
import { type Frame, Scenery } from './scenery';
import type { SeatTheme } from './theme';
import { SEAT_PITCH, SEAT_RADIUS } from './venue';
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
/** Numbers smaller than this (CSS pixels) can't be read and aren't drawn. */
const MIN_NUMBER_PX = 7.5;
/** How far a seat's marks reach beyond its disc, in CSS pixels. */
const MARK_REACH_PX = 6;

const EMPTY: Rect = { x: 0, y: 0, width: 0, height: 0 };

interface Hall {
  readonly layout: Layout;
  readonly grid: SeatGrid;
  readonly scenery: Scenery;
  looks: Uint8Array;
  overview: Overview | undefined;
}

/**
 * A SeatRenderer on a 2D canvas. Panning moves the picture by whole pixels and paints only what came in at the edges;
 * a changed seat repaints its own small square; zooming paints everything, from sprites or from the overview bitmap.
 */
export class CanvasSeatRenderer implements SeatRenderer {
  private readonly context: CanvasRenderingContext2D;
  private readonly sprites = new SeatSprites();
  private hall: Hall | undefined;
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
    this.hall?.overview?.destroy();
    const scenery = new Scenery(layout, this.stageLabel);
    this.hall = { layout, grid: new SeatGrid(layout), scenery, looks, overview: undefined };
    this.painted = undefined;
  }

  setLooks(looks: Uint8Array): void {
    const { hall } = this;
    if (!hall) return;
    const changed = changedLooks(hall.looks, looks);
    hall.looks = looks;
    for (const seat of changed) {
      hall.overview?.update(seat, looks[seat - 1] ?? Look.free);
      this.spots.add(seat);
    }
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
    this.sprites.forget();
    this.hall?.overview?.destroy();
    if (this.hall) this.hall.overview = undefined;
    this.painted = undefined;
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
    const zooming = painted !== undefined && painted.scale !== frame.scale;
    if (!painted || zooming || this.coarse || this.spots.size > MAX_SPOTS) {
      const seats = hall.grid.count(worldOf(frame, this.wholeCanvas()));
      this.coarse = zooming && seats > MAX_SEATS_IN_MOTION;
      this.fromOverview =
        this.coarse || seats > MAX_SEATS_AT_REST || SEAT_PITCH * frame.scale < MIN_SEAT_PITCH;
      this.paint(hall, frame, this.wholeCanvas());
    } else {
      this.scroll(hall, frame, painted);
      for (const seat of this.spots) this.paint(hall, frame, this.spotOf(hall, frame, seat));
    }
    this.spots.clear();
    this.painted = frame;
    return this.coarse;
  }

  destroy(): void {
    this.hall?.overview?.destroy();
    this.hall = undefined;
    this.sprites.destroy();
    this.canvas.width = 0;
    this.canvas.height = 0;
  }

  private wholeCanvas(): Rect {
    return { ...EMPTY, width: this.canvas.width, height: this.canvas.height };
  }

  /** Moves what is on the canvas already, and paints the strips that this uncovers. */
  private scroll(hall: Hall, frame: Frame, painted: Frame): void {
    const dx = frame.x - painted.x;
    const dy = frame.y - painted.y;
    if (dx === 0 && dy === 0) return;
    if (Math.abs(dx) < this.canvas.width && Math.abs(dy) < this.canvas.height) {
      this.context.drawImage(this.canvas, dx, dy);
    }
    for (const strip of exposedStrips(dx, dy, this.canvas)) this.paint(hall, frame, strip);
  }

  /** The square that a seat and its marks may cover, on whole pixels so that its edges leave no seam. */
  private spotOf(hall: Hall, frame: Frame, seat: number): Rect {
    const x = hall.layout.x[seat - 1];
    const y = hall.layout.y[seat - 1];
    if (x === undefined || y === undefined) return EMPTY;
    const reach = Math.ceil(SEAT_RADIUS * 1.2 * frame.scale + MARK_REACH_PX * frame.ratio);
    const left = Math.round(x * frame.scale + frame.x) - reach;
    const top = Math.round(y * frame.scale + frame.y) - reach;
    return { x: left, y: top, width: 2 * reach, height: 2 * reach };
  }

  /** Paints one rectangle of the canvas, and nothing outside it. */
  private paint(hall: Hall, frame: Frame, rect: Rect): void {
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
      hall.overview ??= new Overview(hall.layout, this.theme, hall.looks);
      hall.overview.draw(c, frame);
    } else {
      this.paintSeats(hall, frame, world);
    }
    hall.scenery.drawAbove(c, frame, world, this.theme);
    this.paintMarks(hall, frame);
    c.restore();
  }

  private paintSeats(hall: Hall, frame: Frame, world: Rect): void {
    const c = this.context;
    const { layout, looks, grid } = hall;
    const radius = SEAT_RADIUS * frame.scale;
    const numberSize = Math.min(radius * 0.95, (radius * 2.7) / String(layout.seatCount).length);
    const numbers = numberSize >= MIN_NUMBER_PX * frame.ratio;
    this.sprites.prepare(radius, this.theme, numbers);
    const reach = inflate(world, (radius * 1.2 + 2) / frame.scale);
    grid.visit(reach, (seat) => {
      const x = (layout.x[seat - 1] ?? 0) * frame.scale + frame.x;
      const y = (layout.y[seat - 1] ?? 0) * frame.scale + frame.y;
      this.sprites.stamp(c, looks[seat - 1] ?? Look.free, x, y);
    });
    if (!numbers) return;
    c.font = `600 ${numberSize}px ${this.theme.fontFamily}`;
    c.textAlign = 'center';
    c.textBaseline = 'alphabetic';
    grid.visit(reach, (seat) => {
      const ink = this.numberInk(looks[seat - 1] ?? Look.free);
      if (ink === undefined) return;
      const x = Math.round((layout.x[seat - 1] ?? 0) * frame.scale + frame.x);
      const y = Math.round((layout.y[seat - 1] ?? 0) * frame.scale + frame.y);
      c.fillStyle = ink;
      c.fillText(String(seat), x, y + numberSize * 0.36);
      if (looks[seat - 1] === Look.mineHeld || looks[seat - 1] === Look.mineBooked)
        this.paintBadge(x, y, radius);
    });
  }

  /** Seats that can't be had show only their glyph: a number would invite. */
  private numberInk(look: number): string | undefined {
    switch (look) {
      case Look.free:
        return this.theme.onFree;
      case Look.selected:
        return this.theme.mine;
      case Look.mineHeld:
      case Look.mineBooked:
        return this.theme.onMine;
      default:
        return undefined;
    }
  }

  /** The check mark of a seat of mine whose inside is taken by its number. */
  private paintBadge(x: number, y: number, radius: number): void {
    const c = this.context;
    const at = radius * 0.7;
    c.fillStyle = this.theme.section;
    c.beginPath();
    c.arc(x + at, y - at, radius * 0.42, 0, Math.PI * 2);
    c.fill();
    drawCheck(c, x + at, y - at, radius * 0.4, this.theme.mine);
  }

  private paintMarks(hall: Hall, frame: Frame): void {
    const { focus, hover } = this.marks;
    if (hover !== undefined && hover !== focus) this.paintRing(hall, frame, hover, this.theme.hover, 1.5, 2);
    if (focus !== undefined) this.paintRing(hall, frame, focus, this.theme.focus, 2.5, 3);
  }

  /** A ring around a seat with a gap in the background's colour, so that it shows on any seat. */
  private paintRing(
    hall: Hall,
    frame: Frame,
    seat: number,
    colour: string,
    width: number,
    distance: number,
  ): void {
    const x = hall.layout.x[seat - 1];
    const y = hall.layout.y[seat - 1];
    if (x === undefined || y === undefined) return;
    const c = this.context;
    const radius = SEAT_RADIUS * frame.scale;
    const rings: [string, number, number][] = [
      [this.theme.section, radius + (distance / 2) * frame.ratio, distance * frame.ratio],
      [colour, radius + distance * frame.ratio, width * frame.ratio],
    ];
    for (const [stroke, r, line] of rings) {
      c.strokeStyle = stroke;
      c.lineWidth = line;
      c.beginPath();
      c.arc(Math.round(x * frame.scale + frame.x), Math.round(y * frame.scale + frame.y), r, 0, Math.PI * 2);
      c.stroke();
    }
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
