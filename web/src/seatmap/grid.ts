import type { Rect } from './geometry';
import type { Layout } from './layout';
import { SEAT_PITCH } from './venue';

/** Two seats by two: a hit looks at a handful of seats, and a screen full of seats at few empty cells. */
const CELL = SEAT_PITCH * 2;

/**
 * Finds seats by place: a uniform grid of cells, the seats of each cell lying together in one array (a counting
 * sort by cell). Built once per layout; a lookup allocates nothing.
 */
export class SeatGrid {
  private readonly columns: number;
  private readonly rows: number;
  /** Cell → index into `seats` of its first seat; one more entry closes the last cell. */
  private readonly starts: Uint32Array;
  private readonly seats: Uint32Array;

  constructor(private readonly layout: Layout) {
    this.columns = Math.floor(layout.bounds.width / CELL) + 1;
    this.rows = Math.floor(layout.bounds.height / CELL) + 1;
    this.starts = new Uint32Array(this.columns * this.rows + 1);
    this.seats = new Uint32Array(layout.seatCount);
    for (let i = 0; i < layout.seatCount; i++) {
      const next = this.cellOf(i) + 1;
      this.starts[next] = (this.starts[next] ?? 0) + 1;
    }
    for (let c = 1; c < this.starts.length; c++)
      this.starts[c] = (this.starts[c] ?? 0) + (this.starts[c - 1] ?? 0);
    const fill = this.starts.slice();
    for (let i = 0; i < layout.seatCount; i++) {
      const cell = this.cellOf(i);
      const slot = fill[cell] ?? 0;
      this.seats[slot] = i + 1;
      fill[cell] = slot + 1;
    }
  }

  /** The seat nearest to a point in world units, if its middle is no farther than `reach`. */
  hit(x: number, y: number, reach: number): number | undefined {
    let best: number | undefined;
    let bestSquare = reach * reach;
    this.visit({ x: x - reach, y: y - reach, width: 2 * reach, height: 2 * reach }, (seat) => {
      const square = ((this.layout.x[seat - 1] ?? 0) - x) ** 2 + ((this.layout.y[seat - 1] ?? 0) - y) ** 2;
      if (square <= bestSquare) {
        best = seat;
        bestSquare = square;
      }
    });
    return best;
  }

  /** Calls back for every seat in the cells that a rectangle touches: all inside it, and some just beside it. */
  visit(rect: Rect, seat: (seatNo: number) => void): void {
    const left = this.column(rect.x);
    const right = this.column(rect.x + rect.width);
    const bottom = this.row(rect.y + rect.height);
    for (let row = this.row(rect.y); row <= bottom; row++) {
      const end = this.starts[row * this.columns + right + 1] ?? 0;
      for (let i = this.starts[row * this.columns + left] ?? 0; i < end; i++) seat(this.seats[i] ?? 0);
    }
  }

  /** How many seats `visit` would call back for, without looking at any of them. */
  count(rect: Rect): number {
    const left = this.column(rect.x);
    const right = this.column(rect.x + rect.width);
    const bottom = this.row(rect.y + rect.height);
    let count = 0;
    for (let row = this.row(rect.y); row <= bottom; row++) {
      count +=
        (this.starts[row * this.columns + right + 1] ?? 0) - (this.starts[row * this.columns + left] ?? 0);
    }
    return count;
  }

  private cellOf(i: number): number {
    return this.row(this.layout.y[i] ?? 0) * this.columns + this.column(this.layout.x[i] ?? 0);
  }

  private column(x: number): number {
    return Math.max(0, Math.min(this.columns - 1, Math.floor(x / CELL)));
  }

  private row(y: number): number {
    return Math.max(0, Math.min(this.rows - 1, Math.floor(y / CELL)));
  }
}
