import { between } from './geometry';
import { type Layout, rowOfSeat, type SeatRow } from './layout';

/** Rows that Page Up and Page Down jump over. */
export const ROWS_PER_PAGE = 5;

/** A step of the roving tab stop. Rows and columns stay within the section; sections keep row and column. */
export type NavMove =
  | 'left'
  | 'right'
  | 'up'
  | 'down'
  | 'rowStart'
  | 'rowEnd'
  | 'pageUp'
  | 'pageDown'
  | 'sectionStart'
  | 'sectionEnd'
  | 'previousSection'
  | 'nextSection';

/** The part of a keyboard event that decides; a DOM KeyboardEvent is one. */
export interface NavKey {
  readonly key: string;
  readonly ctrlKey: boolean;
  readonly shiftKey: boolean;
  readonly altKey: boolean;
  readonly metaKey: boolean;
}

/**
 * What a key means in the grid, after the ARIA grid pattern; Shift with Page Up and Page Down changes the section,
 * because Control with them changes the browser's tab. Undefined for keys that belong to somebody else.
 */
export function moveForKey(event: NavKey): NavMove | undefined {
  if (event.altKey || event.metaKey) return undefined;
  if (event.ctrlKey) {
    if (event.key === 'Home') return 'sectionStart';
    if (event.key === 'End') return 'sectionEnd';
    return undefined;
  }
  if (event.shiftKey) {
    if (event.key === 'PageUp') return 'previousSection';
    if (event.key === 'PageDown') return 'nextSection';
    return undefined;
  }
  return PLAIN_KEYS.get(event.key);
}

const PLAIN_KEYS = new Map<string, NavMove>([
  ['ArrowLeft', 'left'],
  ['ArrowRight', 'right'],
  ['ArrowUp', 'up'],
  ['ArrowDown', 'down'],
  ['Home', 'rowStart'],
  ['End', 'rowEnd'],
  ['PageUp', 'pageUp'],
  ['PageDown', 'pageDown'],
]);

/**
 * The seat that a move leads to; the same seat where there is nowhere to go, so that the tab stop never gets lost.
 * A seat outside the layout leads to seat 1.
 */
export function nextSeat(layout: Layout, seat: number, move: NavMove): number {
  const row = rowOfSeat(layout, seat);
  const section = row && layout.sections[row.section];
  if (!row || !section) return 1;
  const first = section.rows[0]?.index ?? row.index;
  const rowInSection = row.index - first;
  const column = layout.columnOf[seat - 1] ?? 0;
  const inSection = (r: number, c: number): number => seatAt(section.rows, r, c) ?? seat;
  const inRow = (r: number): number => seatBeneath(section.rows, r, row, column) ?? seat;
  switch (move) {
    case 'left':
      return inSection(rowInSection, column - 1);
    case 'right':
      return inSection(rowInSection, column + 1);
    case 'up':
      return inRow(rowInSection - 1);
    case 'down':
      return inRow(rowInSection + 1);
    case 'rowStart':
      return inSection(rowInSection, 0);
    case 'rowEnd':
      return inSection(rowInSection, Infinity);
    case 'pageUp':
      return inRow(rowInSection - ROWS_PER_PAGE);
    case 'pageDown':
      return inRow(rowInSection + ROWS_PER_PAGE);
    case 'sectionStart':
      return inSection(0, 0);
    case 'sectionEnd':
      return inSection(Infinity, Infinity);
    case 'previousSection':
    case 'nextSection': {
      const other = layout.sections[section.index + (move === 'nextSection' ? 1 : -1)];
      return (other && seatBeneath(other.rows, rowInSection, row, column)) ?? seat;
    }
  }
}

/**
 * The seat of another row that stands where a seat of this one does: rows are centred. Rounded towards the middle, so
 * that going there and back ends where it began.
 */
function seatBeneath(
  rows: readonly SeatRow[],
  other: number,
  row: SeatRow,
  column: number,
): number | undefined {
  const there = rows[between(other, 0, rows.length - 1)];
  const longer = (there?.seats.length ?? 0) - row.seats.length;
  return seatAt(rows, other, column + Math.trunc(longer / 2));
}

/** The seat at a row and column of a section, the nearest there is if it has fewer of either. */
function seatAt(rows: readonly SeatRow[], row: number, column: number): number | undefined {
  const seats = rows[between(row, 0, rows.length - 1)]?.seats;
  return seats?.[between(column, 0, seats.length - 1)];
}
