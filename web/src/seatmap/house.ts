/*
 * How an organizer has laid an event's seats out: sections of rows. Seat 1 is the first of the first row, and the
 * numbers run on from row to row and from section to section; what stands on a seat is its row's own count.
 */

/** Seats of a row where the organizer has laid nothing out. */
export const SEATS_PER_ROW = 20;

/** Seats side by side. */
export interface HouseRow {
  readonly label: string;
  readonly seats: number;
  /** The number on the row's first seat; 1 if left out. */
  readonly first?: number;
}

/** A part of the house. Where there is only one it may have no name. */
export interface HouseSection {
  readonly name: string;
  readonly rows: readonly HouseRow[];
}

/** Where a seat lies. */
export interface SeatPlace {
  /** Empty where there is only one section, without a name. */
  readonly section: string;
  readonly row: string;
  /** Position of the row among all of the house, from 0: labels may come twice. */
  readonly rowIndex: number;
  /** As it stands on the seat. */
  readonly number: number;
}

/** A house that the organizer has laid out. It is never changed. */
export class House {
  readonly seatCount: number;
  /** Of each row how many seats lie before it, and all at the end. */
  private readonly starts: Uint32Array;
  private readonly rows: readonly { readonly section: HouseSection; readonly row: HouseRow }[];

  constructor(readonly sections: readonly HouseSection[]) {
    this.rows = sections.flatMap((section) => section.rows.map((row) => ({ section, row })));
    this.starts = new Uint32Array(this.rows.length + 1);
    this.rows.forEach(({ row }, i) => {
      this.starts[i + 1] = (this.starts[i] ?? 0) + row.seats;
    });
    this.seatCount = this.starts[this.rows.length] ?? 0;
  }

  /** Where a seat lies, or undefined for a number that the house doesn't have. */
  place(seat: number): SeatPlace | undefined {
    if (!Number.isInteger(seat) || seat < 1 || seat > this.seatCount) return undefined;
    let low = 0;
    let high = this.rows.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.starts[middle + 1] ?? 0) >= seat) high = middle;
      else low = middle + 1;
    }
    const found = this.rows[low];
    return (
      found && {
        section: found.section.name,
        row: found.row.label,
        rowIndex: low,
        number: (found.row.first ?? 1) + seat - 1 - (this.starts[low] ?? 0),
      }
    );
  }
}

/** Where a seat lies in rows A, B, … of 20 whose numbers run on. */
export function defaultPlace(seat: number): SeatPlace {
  const rowIndex = Math.floor((seat - 1) / SEATS_PER_ROW);
  return { section: '', row: rowLabel(rowIndex), rowIndex, number: seat };
}

/** The label of the row at a position from 0: A, B, … Z, AA, AB, … as spreadsheets count columns. */
export function rowLabel(index: number): string {
  let label = '';
  for (let n = index + 1; n > 0; n = Math.floor((n - 1) / 26)) {
    label = String.fromCharCode(65 + ((n - 1) % 26)) + label;
  }
  return label;
}
