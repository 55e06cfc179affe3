import { SeatState, type Seats } from './state';

/** What is mine: known only to me, laid over what everybody sees. All are seat numbers. */
export interface Mine {
  /** Chosen in this browser and not (yet) held: the request is under way, or holds are not to be had. */
  readonly selected: ReadonlySet<number>;
  readonly held: ReadonlySet<number>;
  readonly booked: ReadonlySet<number>;
}

/** Nothing is mine: the overlay of a visitor. */
export const NOTHING_MINE: Mine = { selected: new Set(), held: new Set(), booked: new Set() };

/** How a seat looks to me. The first four are the states of everybody's seats, by the same numbers. */
export const Look = {
  free: 0,
  held: 1,
  booked: 2,
  blocked: 3,
  selected: 4,
  mineHeld: 5,
  mineBooked: 6,
} as const;
export type Look = (typeof Look)[keyof typeof Look];

/** How many looks there are. */
export const LOOK_COUNT = 7;

/** How one seat looks. The overlay may be ahead of the deltas or behind them, so neither always wins. */
export function lookOf(state: SeatState, mine: Mine, seat: number): Look {
  if (mine.booked.has(seat)) return Look.mineBooked;
  // A seat that is sold or off sale can't be chosen any more, whatever this browser still believes.
  if (state === SeatState.booked || state === SeatState.blocked) return state;
  if (mine.held.has(seat)) return Look.mineHeld;
  if (mine.selected.has(seat) && state === SeatState.free) return Look.selected;
  return state;
}

/** Whether a press on such a seat means anything: it can be chosen, or given back. */
export function isChoosable(look: Look): boolean {
  return look === Look.free || look === Look.selected || look === Look.mineHeld;
}

/** How all seats look, indexed by seat number − 1. */
export function looksOf(seats: Seats, mine: Mine): Uint8Array {
  const looks = seats.states.slice();
  for (const set of [mine.selected, mine.held, mine.booked]) {
    for (const seat of set) {
      const state = seats.states[seat - 1];
      if (state !== undefined) looks[seat - 1] = lookOf(state as SeatState, mine, seat);
    }
  }
  return looks;
}

/** The numbers of the seats that look different now; both arrays belong to the same layout. */
export function changedLooks(before: Uint8Array, after: Uint8Array): number[] {
  const changed: number[] = [];
  for (let i = 0; i < after.length; i++) {
    if (before[i] !== after[i]) changed.push(i + 1);
  }
  return changed;
}
