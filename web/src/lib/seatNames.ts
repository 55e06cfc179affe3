// What seats are called outside the map. A house that the organizer has laid out
// names them by section, row and the number on the seat; null is rows A, B, … of
// 20 whose numbers run on. Undefined is a house that is not known (yet): then
// seats are counted through, which is true of every house.
import { t } from '@lingui/core/macro';
import { defaultPlace, type House, type SeatPlace } from '@/seatmap/house';

/** Where a seat lies; undefined where that is not known. */
export function seatPlace(house: House | null | undefined, seat: number): SeatPlace | undefined {
  return house === null ? defaultPlace(seat) : house?.place(seat);
}

/** "Stalls · Row B · Seat 5" */
export function seatLabel(house: House | null | undefined, seat: number): string {
  const place = seatPlace(house, seat);
  if (!place) return t`No. ${seat}`;
  const { section, row, number } = place;
  return section === '' ? t`Row ${row} · Seat ${number}` : t`${section} · Row ${row} · Seat ${number}`;
}

/** Seats in one line, neighbours drawn together: "Stalls · Row A: 1–3, 7 · Row B: 1". */
export function seatSummary(house: House | null | undefined, seats: Iterable<number>): string {
  const groups: { place: SeatPlace | undefined; runs: string[] }[] = [];
  const sorted = [...new Set(seats)].sort((a, b) => a - b);
  for (let i = 0; i < sorted.length; i++) {
    const from = sorted[i] ?? 0;
    const place = seatPlace(house, from);
    let to = from;
    while (sorted[i + 1] === to + 1 && seatPlace(house, to + 1)?.rowIndex === place?.rowIndex) {
      to += 1;
      i += 1;
    }
    const first = place?.number ?? from;
    const run = from === to ? String(first) : `${first}–${first + to - from}`;
    const last = groups.at(-1);
    if (last && last.place?.rowIndex === place?.rowIndex) last.runs.push(run);
    else groups.push({ place, runs: [run] });
  }
  return groups
    .map(({ place, runs }, i) => inWords(place, groups[i - 1]?.place, runs.join(', ')))
    .join(' · ');
}

// A section is named with the first of its rows.
function inWords(place: SeatPlace | undefined, before: SeatPlace | undefined, numbers: string): string {
  if (!place) return t`No. ${numbers}`;
  const { section, row } = place;
  if (section === '' || section === before?.section) return t`Row ${row}: ${numbers}`;
  return t`${section} · Row ${row}: ${numbers}`;
}
