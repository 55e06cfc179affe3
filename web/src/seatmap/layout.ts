import { boundsOf, type Point, type Rect } from './geometry';
import { type House, rowLabel, SEATS_PER_ROW } from './house';
import { placeSections } from './tiers';
import {
  atArc,
  type BlockPlace,
  blockOutline,
  LABEL_ROOM,
  placeBlocks,
  ROW_PITCH,
  SEAT_PITCH,
  SEAT_RADIUS,
  stageBefore,
  stageOutline,
} from './venue';

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
  /** What stands on the first of them; the others count on from there. */
  readonly first: number;
  /** Where the label stands, in world units: before the first and behind the last seat. */
  readonly labelAt: readonly [Point, Point];
}

/** A block of rows that stand together. */
export interface SeatSection {
  readonly index: number;
  /** As the organizer calls it; else, unless `named`, after its rows, e.g. "A–Y". */
  readonly name: string;
  readonly named: boolean;
  readonly rows: readonly SeatRow[];
  /** Polygon around the seats and row labels, x, y, x, y, … in world units. */
  readonly outline: Float32Array;
  readonly bounds: Rect;
  /** The middle of the block, where its name may stand. */
  readonly centre: Point;
  /** Where its name stands above its rows; only of one that is named. */
  readonly title: SectionTitle | undefined;
  /** How wide a row's label may be, in world units; undefined where all are short. */
  readonly labelWidth: number | undefined;
}

/** The middle of a line of text, turned as the first row is, and how long it may be, in world units. */
export interface SectionTitle {
  readonly at: Point;
  /** Clockwise, in radians. */
  readonly turn: number;
  readonly width: number;
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
  /** Empty where sections have no names of their own. */
  readonly section: string;
  readonly row: string;
  readonly seat: string;
}

/** Room around the blocks that belongs to the map: their edges are drawn rounded, a little outside. */
const MARGIN = 12;
/** From the middle of a row's last seat to the middle of its label. */
const LABEL_DISTANCE = SEAT_PITCH * 1.25;

/** Above the first row of a section with a name, for the name. */
export const TITLE_ROOM = 30;
/** The width of a letter of a row's label; wider ones are drawn narrower. */
const LETTER = 8;
/** Labels up to this many letters fit the usual room. */
const SHORT_LABEL = 2;
/** From a row label's edge to its last seat. */
const LABEL_SPACE = 6;
/** Between the edges of sections side by side: an aisle. */
const AISLE = 44;
/** The stage is as wide as one before seats that reach so far at each side of its middle: a small house has one too. */
const MIN_STAGE_HALF = 150;

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
  const blocks = places.map((place, s): Block => {
    const from = sectionStart(s, rowCount, sectionCount);
    const to = sectionStart(s + 1, rowCount, sectionCount);
    const labels = [rowLabel(from), rowLabel(to - 1)];
    return {
      name: [...new Set(labels)].join('–'),
      named: false,
      place,
      columns,
      room: LABEL_ROOM,
      labelWidth: undefined,
      rows: Array.from({ length: to - from }, (_, i) => ({
        label: rowLabel(from + i),
        seats: Math.min(SEATS_PER_ROW, totalSlots - (from + i) * SEATS_PER_ROW),
        first: (from + i) * SEATS_PER_ROW + 1,
      })),
    };
  });
  return assemble(totalSlots, blocks, stageOutline(places, columns));
}

/** The layout of a house that the organizer has laid out: its sections in their order, its rows centred. */
export function houseLayout(house: House): Layout {
  const sized = house.sections.map(({ name, rows }) => {
    const letters = Math.max(...rows.map((row) => row.label.length));
    const labelWidth = letters > SHORT_LABEL ? letters * LETTER : undefined;
    return {
      name,
      named: name !== '',
      columns: Math.max(...rows.map((row) => row.seats)),
      room: labelWidth === undefined ? LABEL_ROOM : labelWidth + 2 * LABEL_SPACE,
      labelWidth,
      rows: rows.map((row) => ({ ...row, first: row.first ?? 1 })),
    };
  });
  const { places, front, width } = placeSections(
    sized.map((block) => ({
      width: block.columns * SEAT_PITCH + 2 * block.room + AISLE,
      depth: block.rows.length * ROW_PITCH + headOf(block.named),
    })),
  );
  const blocks = sized.map((block, i): Block => {
    const { radius, angle } = places[i] ?? { radius: front, angle: 0 };
    return { ...block, place: { radius: radius + headOf(block.named) + ROW_PITCH / 2, angle } };
  });
  const reach = Math.max(width / 2, MIN_STAGE_HALF);
  return assemble(house.seatCount, blocks, stageBefore(front + ROW_PITCH / 2, reach / front));
}

/** A block of rows before its seats have places. */
interface Block {
  readonly name: string;
  readonly named: boolean;
  readonly place: BlockPlace;
  readonly columns: number;
  /** Left for row labels at both sides. */
  readonly room: number;
  readonly labelWidth: number | undefined;
  readonly rows: readonly { readonly label: string; readonly seats: number; readonly first: number }[];
}

function assemble(seatCount: number, blocks: readonly Block[], stage: Float32Array): Layout {
  const outlines = blocks.map((block) =>
    blockOutline(block.place, block.rows.length, block.columns, block.room, headOf(block.named)),
  );
  const extent = boundsOf([stage, ...outlines]);
  const dx = MARGIN - extent.x;
  const dy = MARGIN - extent.y;
  const numbers = Uint32Array.from({ length: seatCount }, (_, i) => i + 1);
  const x = new Float32Array(seatCount);
  const y = new Float32Array(seatCount);
  const rowOf = new Uint32Array(seatCount);
  const columnOf = new Uint32Array(seatCount);
  const rows: SeatRow[] = [];
  let start = 0;
  const sections = blocks.map((block, s): SeatSection => {
    const { place } = block;
    const from = rows.length;
    block.rows.forEach(({ label, seats, first }, i) => {
      const radius = place.radius + i * ROW_PITCH;
      const index = rows.length;
      for (let c = 0; c < seats; c++) {
        // A short row is centred: its seats look at the stage as the others do.
        const [sx, sy] = atArc(radius, place.angle + ((c - (seats - 1) / 2) * SEAT_PITCH) / radius);
        x[start + c] = sx + dx;
        y[start + c] = sy + dy;
        rowOf[start + c] = index;
        columnOf[start + c] = c;
      }
      const end = ((seats - 1) / 2) * SEAT_PITCH + labelDistance(block.labelWidth);
      rows.push({
        index,
        section: s,
        label,
        seats: numbers.subarray(start, start + seats),
        first,
        labelAt: [
          at(radius, place.angle - end / radius, dx, dy),
          at(radius, place.angle + end / radius, dx, dy),
        ],
      });
      start += seats;
    });
    const outline = moved(outlines[s] ?? new Float32Array(), dx, dy);
    return {
      index: s,
      name: block.name,
      named: block.named,
      rows: rows.slice(from),
      outline,
      bounds: boundsOf([outline]),
      centre: at(place.radius + ((block.rows.length - 1) / 2) * ROW_PITCH, place.angle, dx, dy),
      title: block.named
        ? {
            at: at(place.radius - (ROW_PITCH + TITLE_ROOM) / 2, place.angle, dx, dy),
            turn: -place.angle,
            width: block.columns * SEAT_PITCH + 2 * block.room,
          }
        : undefined,
      labelWidth: block.labelWidth,
    };
  });
  return {
    seatCount,
    sections,
    rows,
    x,
    y,
    rowOf,
    columnOf,
    stage: stageOf(moved(stage, dx, dy)),
    bounds: { x: 0, y: 0, width: extent.width + 2 * MARGIN, height: extent.height + 2 * MARGIN },
  };
}

function headOf(named: boolean): number {
  return named ? TITLE_ROOM : 0;
}

function labelDistance(labelWidth: number | undefined): number {
  return labelWidth === undefined ? LABEL_DISTANCE : SEAT_RADIUS + LABEL_SPACE + labelWidth / 2;
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
  return (
    row &&
    section && {
      section: section.named ? section.name : '',
      row: row.label,
      seat: String(numberOnSeat(layout, seat)),
    }
  );
}

/** What stands on a seat; the number itself for one outside the layout. */
export function numberOnSeat(layout: Layout, seat: number): number {
  const row = rowOfSeat(layout, seat);
  return row ? row.first + (layout.columnOf[seat - 1] ?? 0) : seat;
}

/** The largest number that stands on a seat. */
export function largestNumber(layout: Layout): number {
  return layout.rows.reduce((most, row) => Math.max(most, row.first + row.seats.length - 1), 0);
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
