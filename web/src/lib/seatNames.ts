// What seats are called outside the map, where no layout is at hand: rows A, B,
// … of 20, with the numbers running on.
import { t } from '@lingui/core/macro';
import { rowLabel, SEATS_PER_ROW } from '@/seatmap/layout';

export interface NamedSeat {
  readonly row: string;
  readonly seat: number;
}

export function seatOf(seat: number): NamedSeat {
  return { row: rowLabel(Math.floor((seat - 1) / SEATS_PER_ROW)), seat };
}

/** "Row B · Seat 21" */
export function seatLabel(seatNumber: number): string {
  const { row, seat } = seatOf(seatNumber);
  return t`Row ${row} · Seat ${seat}`;
}

/** Seats in one line, neighbours drawn together: "Row A: 1–3, 7 · Row B: 21". */
export function seatSummary(seats: readonly number[]): string {
  const rows = new Map<string, string[]>();
  const sorted = [...new Set(seats)].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length; ) {
    const from = sorted[i] ?? 0;
    const { row } = seatOf(from);
    let to = from;
    while (sorted[i + 1] === to + 1 && seatOf(to + 1).row === row) {
      to += 1;
      i += 1;
    }
    rows.set(row, [...(rows.get(row) ?? []), from === to ? String(from) : `${from}–${to}`]);
    i += 1;
  }
  return [...rows]
    .map(([row, runs]) => {
      const numbers = runs.join(', ');
      return t`Row ${row}: ${numbers}`;
    })
    .join(' · ');
}
