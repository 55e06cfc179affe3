import { type Layout, rowOfSeat } from './layout';

/** Neighbouring seats of one row, ends included. */
export interface SeatRun {
  readonly row: string;
  readonly from: number;
  readonly to: number;
}

/**
 * Sums a selection up as runs of neighbours in the order of the hall. Repeated numbers count once; numbers outside
 * the layout are left out.
 */
export function seatRuns(layout: Layout, seats: Iterable<number>): SeatRun[] {
  const places: { seat: number; row: number; column: number; label: string }[] = [];
  for (const seat of new Set(seats)) {
    const row = rowOfSeat(layout, seat);
    if (row) places.push({ seat, row: row.index, column: layout.columnOf[seat - 1] ?? 0, label: row.label });
  }
  places.sort((a, b) => a.row - b.row || a.column - b.column);
  const runs: SeatRun[] = [];
  places.forEach((place, i) => {
    const before = places[i - 1];
    const last = runs.at(-1);
    if (last && before && before.row === place.row && before.column + 1 === place.column) {
      runs[runs.length - 1] = { ...last, to: place.seat };
    } else {
      runs.push({ row: place.label, from: place.seat, to: place.seat });
    }
  });
  return runs;
}

/** Words of the summary, for translation. */
export interface SummaryWords {
  /** Names a row, e.g. "Row C". */
  readonly row: (label: string) => string;
}

const ENGLISH: SummaryWords = { row: (label) => `Row ${label}` };

/** A selection in one line: "Row C: 41–43, 47 · Row D: 61". Empty for an empty selection. */
export function summariseSeats(
  layout: Layout,
  seats: Iterable<number>,
  words: SummaryWords = ENGLISH,
): string {
  const byRow = new Map<string, string[]>();
  for (const { row, from, to } of seatRuns(layout, seats)) {
    const parts = byRow.get(row) ?? [];
    parts.push(from === to ? String(from) : `${from}–${to}`);
    byRow.set(row, parts);
  }
  return [...byRow].map(([row, parts]) => `${words.row(row)}: ${parts.join(', ')}`).join(' · ');
}
