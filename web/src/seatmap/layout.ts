import { boundsOf, type Point, type Rect } from './geometry';
import { atArc, blockOutline, placeBlocks, ROW_PITCH, SEAT_PITCH, stageOutline } from './venue';

/** Seats of a row where the organizer has drawn no layout of their own. */
export const SEATS_PER_ROW = 20;
/** A block of more rows than this is hard to overlook; larger halls get more blocks. */
export const ROWS_PER_SECTION = 25;
/** The most seats an event can have. */
export const MAX_SEATS = 1_000_000;

/** A row of seats. Its seats are ascending numbers, left to right as seen with the stage on top. */
export interface SeatRow {
  /** Position among all rows of the layout, from 0. */
  readonly index: number;
  /** Index of the section it lies in. */
  readonly section: number;
  /** What stands at the row's ends, e.g. "B". */
  readonly label: string;
  /** Seat numbers; not to be written to. */
  readonly seats: Uint32Array;
  /** Where the label stands, in world units: before the first and behind the last seat. */
  readonly labelAt: readonly [Point, Point];
}

/** A block of rows that stand together. */
export interface SeatSection {
  readonly index: number;
  /** Named after its rows, e.g. "A–Y", because the default layout has no other names. */
  readonly name: string;
  readonly rows: readonly SeatRow[];
  /** Polygon around the seats and row labels, x, y, x, y, … in world units. */
  readonly outline: Float32Array;
  readonly bounds: Rect;
  /** The middle of the block, where its name may stand. */
  readonly centre: Point;
}

/**
 * How an event's numbered seats 1…seatCount lie. World units; the top left corner of `bounds` is 0, 0.
 * The arrays are indexed by seat number − 1 and are not to be written to.
 */
export interface Layout {
  readonly seatCount: number;
  readonly sections: readonly SeatSection[];
  readonly rows: readonly SeatRow[];
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** Index into `rows`. */
  readonly rowOf: Uint32Array;
  /** Position within the row, from 0. */
  readonly columnOf: Uint32Array;
  readonly stage: Stage;
  readonly bounds: Rect;
}

/** What the seats look at. */
export interface Stage {
  readonly outline: Float32Array;
  /** Where its name stands, and how much room there is from front to back. */
  readonly centre: Point;
  readonly depth: number;
}

/** The parts of a seat's name; the screen puts them into words, e.g. "Row B · Seat 21". */
export interface SeatName {
  readonly section: string;
  readonly row: string;
  readonly seat: string;
}

/** Room around the blocks that belongs to the map: their edges are drawn rounded, a little outside. */
const MARGIN = 12;
/** From the middle of a row's last seat to the middle of its label. */
const LABEL_DISTANCE = SEAT_PITCH * 1.25;

/** The label of the row at a position from 0: A, B, … Z, AA, AB, … as spreadsheets count columns. */
export function rowLabel(index: number): string {
  let label = '';
  for (let n = index + 1; n > 0; n = Math.floor((n - 1) / 26)) {
    label = String.fromCharCode(65 + ((n - 1) % 26)) + label;
  }
  return label;
}

/**
 * The layout of an event without one of its own: rows A, B, … of 20 with the numbers running on. Up to 25 rows are
 * one block; more rows are shared out evenly over blocks that stand around the stage. Throws a RangeError unless
 * `totalSlots` is a whole number from 1 to MAX_SEATS.
 */
export function defaultLayout(totalSlots: number): Layout {
  if (!Number.isInteger(totalSlots) || totalSlots < 1 || totalSlots > MAX_SEATS) {
    throw new RangeError(`a layout has 1 to ${MAX_SEATS} seats, not ${totalSlots}`);
  }
  const rowCount = Math.ceil(totalSlots / SEATS_PER_ROW);
  const sectionCount = Math.ceil(rowCount / ROWS_PER_SECTION);
  const columns = Math.min(SEATS_PER_ROW, totalSlots);
  const places = placeBlocks(sectionCount, Math.ceil(rowCount / sectionCount), columns);
  const stage = stageOutline(places, columns);
  const outlines = places.map((place, s) =>
    blockOutline(
      place,
      sectionStart(s + 1, rowCount, sectionCount) - sectionStart(s, rowCount, sectionCount),
      columns,
    ),
  );
  const extent = boundsOf([stage, ...outlines]);
  const dx = MARGIN - extent.x;
  const dy = MARGIN - extent.y;

  const numbers = Uint32Array.from({ length: totalSlots }, (_, i) => i + 1);
  const x = new Float32Array(totalSlots);
  const y = new Float32Array(totalSlots);
  const rowOf = new Uint32Array(totalSlots);
  const columnOf = new Uint32Array(totalSlots);
  const rows: SeatRow[] = [];
  const sections = places.map((place, s): SeatSection => {
    const from = sectionStart(s, rowCount, sectionCount);
    const to = sectionStart(s + 1, rowCount, sectionCount);
    for (let r = from; r < to; r++) {
      const first = r * SEATS_PER_ROW;
      const count = Math.min(SEATS_PER_ROW, totalSlots - first);
      const radius = place.radius + (r - from) * ROW_PITCH;
      for (let c = 0; c < count; c++) {
        // A short last row is centred: its seats look at the stage as the others do.
        const [sx, sy] = atArc(radius, place.angle + ((c - (count - 1) / 2) * SEAT_PITCH) / radius);
        x[first + c] = sx + dx;
        y[first + c] = sy + dy;
        rowOf[first + c] = r;
        columnOf[first + c] = c;
      }
      const end = ((count - 1) / 2) * SEAT_PITCH + LABEL_DISTANCE;
      rows.push({
        index: r,
        section: s,
        label: rowLabel(r),
        seats: numbers.subarray(first, first + count),
        labelAt: [
          at(radius, place.angle - end / radius, dx, dy),
          at(radius, place.angle + end / radius, dx, dy),
        ],
      });
    }
    const outline = moved(outlines[s] ?? new Float32Array(), dx, dy);
    const firstLabel = rowLabel(from);
    const lastLabel = rowLabel(to - 1);
    return {
      index: s,
      name: firstLabel === lastLabel ? firstLabel : `${firstLabel}–${lastLabel}`,
      rows: rows.slice(from, to),
      outline,
      bounds: boundsOf([outline]),
      centre: at(place.radius + ((to - from - 1) / 2) * ROW_PITCH, place.angle, dx, dy),
    };
  });
  const stageMoved = moved(stage, dx, dy);
  return {
    seatCount: totalSlots,
    sections,
    rows,
    x,
    y,
    rowOf,
    columnOf,
    stage: stageOf(stageMoved),
    bounds: { x: 0, y: 0, width: extent.width + 2 * MARGIN, height: extent.height + 2 * MARGIN },
  };
}

/** The row of a seat, or undefined for a number outside the layout. */
export function rowOfSeat(layout: Layout, seat: number): SeatRow | undefined {
  const row = layout.rowOf[seat - 1];
  return row === undefined ? undefined : layout.rows[row];
}

/** The section of a seat, or undefined for a number outside the layout. */
export function sectionOfSeat(layout: Layout, seat: number): SeatSection | undefined {
  const row = rowOfSeat(layout, seat);
  return row && layout.sections[row.section];
}

/** What a seat is called, or undefined for a number outside the layout. */
export function seatName(layout: Layout, seat: number): SeatName | undefined {
  const row = rowOfSeat(layout, seat);
  const section = row && layout.sections[row.section];
  return row && section && { section: section.name, row: row.label, seat: String(seat) };
}

/** The smallest rectangle around the middles of some seats, or undefined if none of them is in the layout. */
export function boundsOfSeats(layout: Layout, seats: Iterable<number>): Rect | undefined {
  const points: number[] = [];
  for (const seat of seats) {
    const x = layout.x[seat - 1];
    const y = layout.y[seat - 1];
    if (x !== undefined && y !== undefined) points.push(x, y);
  }
  return points.length > 0 ? boundsOf([points]) : undefined;
}

/** The first row of a section when rows are shared out so evenly that sections differ by one row at most. */
function sectionStart(section: number, rows: number, sections: number): number {
  return Math.floor((section * rows) / sections);
}

function at(radius: number, angle: number, dx: number, dy: number): Point {
  const [x, y] = atArc(radius, angle);
  return { x: x + dx, y: y + dy };
}

function moved(polygon: Float32Array, dx: number, dy: number): Float32Array {
  return polygon.map((value, i) => value + (i % 2 === 0 ? dx : dy));
}

/** The stage of a symmetric sector; its name is centred between the middles of the two arcs. */
function stageOf(outline: Float32Array): Stage {
  const back = Math.floor(outline.length / 8) * 2;
  const front = outline.length - 2 - back;
  const x = ((outline[back] ?? 0) + (outline[front] ?? 0)) / 2;
  const [top, bottom] = [outline[back + 1] ?? 0, outline[front + 1] ?? 0];
  return { outline, centre: { x, y: (top + bottom) / 2 }, depth: bottom - top };
}
