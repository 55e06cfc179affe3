// A house while it is being drawn up. What is right is the server's to say; this
// only keeps rows going on as the ones before them.
import { House, type HouseSection, rowLabel, SEATS_PER_ROW } from '@/seatmap/house';

/** The server's limits, for what one can type. */
export const MAX_ROW_SEATS = 64;
export const MAX_ROWS = 20_000;
export const MAX_FIRST = 9_999;
export const MAX_NAME = 60;
export const MAX_LABEL = 12;

export interface DraftRow {
  readonly label: string;
  readonly seats: number;
  readonly first: number;
}

export interface DraftSection {
  /** Stays with the section while others come and go before it. */
  readonly id: number;
  readonly name: string;
  readonly rows: readonly DraftRow[];
}

export type Draft = readonly DraftSection[];

const FIRST_ROW: DraftRow = { label: 'A', seats: SEATS_PER_ROW, first: 1 };

/** What editing begins with: the house, or as many seats in rows of 20, each counted from 1. */
export function draftOf(house: House | null, totalSlots: number): Draft {
  if (house) {
    return house.sections.map(({ name, rows }, id) => ({
      id,
      name,
      rows: rows.map((row) => ({ label: row.label, seats: row.seats, first: row.first ?? 1 })),
    }));
  }
  const length = totalSlots > MAX_ROWS * SEATS_PER_ROW ? MAX_ROW_SEATS : SEATS_PER_ROW;
  const rows = Array.from({ length: Math.ceil(totalSlots / length) }, (_, i) => ({
    label: rowLabel(i),
    seats: Math.min(length, totalSlots - i * length),
    first: 1,
  }));
  return [{ id: 0, name: '', rows }];
}

/** As the server takes it, and as the map draws it. */
export function sectionsOf(draft: Draft): HouseSection[] {
  return draft.map(({ name, rows }) => ({ name: name.trim(), rows }));
}

export function houseOf(draft: Draft): House {
  return new House(sectionsOf(draft));
}

/** How many seats all sections have. */
export function seatsIn(draft: Draft): number {
  return draft.reduce((sum, { rows }) => sum + rows.reduce((seats, row) => seats + row.seats, 0), 0);
}

/** One more section, with rows such as the last one has. */
export function withSection(draft: Draft): Draft {
  const like = draft.at(-1)?.rows[0] ?? FIRST_ROW;
  const id = Math.max(-1, ...draft.map((section) => section.id)) + 1;
  return [...draft, { id, name: '', rows: following([{ ...like }], 5) }];
}

/** A section moved by one place, to the front or to the back. */
export function moved(draft: Draft, index: number, by: -1 | 1): Draft {
  const section = draft[index];
  const other = draft[index + by];
  if (!section || !other) return draft;
  return draft.map((s, i) => (i === index ? other : i === index + by ? section : s));
}

/** So many rows: the last ones go, or more come that go on as the last one. */
export function withRows(section: DraftSection, count: number): DraftSection {
  return { ...section, rows: following(section.rows.slice(0, count), count) };
}

/** The same number of seats, or the same first number, in every row. */
export function withEvery(section: DraftSection, key: 'seats' | 'first', value: number): DraftSection {
  return { ...section, rows: section.rows.map((row) => ({ ...row, [key]: value })) };
}

/** Rows named anew, from this label on. */
export function withLabels(section: DraftSection, first: string): DraftSection {
  let label = first;
  const rows = section.rows.map((row) => {
    const named = { ...row, label };
    label = labelAfter(label);
    return named;
  });
  return { ...section, rows };
}

export function withRow(section: DraftSection, index: number, change: Partial<DraftRow>): DraftSection {
  return { ...section, rows: section.rows.map((row, i) => (i === index ? { ...row, ...change } : row)) };
}

/** What all rows have in common, or null where they differ. */
export function common(section: DraftSection, key: 'seats' | 'first'): number | null {
  const [first] = section.rows;
  return first && section.rows.every((row) => row[key] === first[key]) ? first[key] : null;
}

/** The label after one: Z, AA; 9, 10; R9, R10; a, b. One that counts nothing begins to. */
export function labelAfter(label: string): string {
  const [, before = '', digits] = /^(.*?)(\d{1,9})$/.exec(label) ?? [];
  if (digits !== undefined) return `${before}${String(Number(digits) + 1).padStart(digits.length, '0')}`;
  if (/^[A-Z]{1,4}$/.test(label)) {
    const place = [...label].reduce((sum, letter) => sum * 26 + letter.charCodeAt(0) - 64, 0);
    return rowLabel(place);
  }
  // Longer ones are words.
  if (/^[a-z]{1,2}$/.test(label)) return labelAfter(label.toUpperCase()).toLowerCase();
  return `${label} 2`;
}

function following(rows: readonly DraftRow[], count: number): DraftRow[] {
  const all = [...rows];
  while (all.length < count) {
    const last = all.at(-1);
    all.push(last ? { ...last, label: labelAfter(last.label) } : FIRST_ROW);
  }
  return all;
}
