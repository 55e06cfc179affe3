// The hall in parts that a list can show at once: its sections, long ones by some
// of their rows.
import type { Layout, SeatRow } from '@/seatmap';

/** Rows that are listed together. */
export const ROWS_LISTED = 25;

export interface SeatGroup {
  /** Empty where the section has no name of its own. */
  readonly section: string;
  /** "A–Y" where it is not all of a named section, else empty. */
  readonly range: string;
  readonly rows: readonly SeatRow[];
}

export function seatGroups(layout: Layout): SeatGroup[] {
  return layout.sections.flatMap((section) =>
    Array.from({ length: Math.ceil(section.rows.length / ROWS_LISTED) }, (_, i): SeatGroup => {
      const rows = section.rows.slice(i * ROWS_LISTED, (i + 1) * ROWS_LISTED);
      const all = rows.length === section.rows.length;
      return {
        section: section.named ? section.name : '',
        range: section.named && all ? '' : rangeOf(rows),
        rows,
      };
    }),
  );
}

function rangeOf(rows: readonly SeatRow[]): string {
  return [...new Set([rows[0]?.label ?? '', rows.at(-1)?.label ?? ''])].join('–');
}
