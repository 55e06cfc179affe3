// Which seats shall be off sale, as what differs from what is: so that what
// another organizer does meanwhile is kept.
import type { Layout } from '@/seatmap';
import { rowOfSeat, SeatState, sectionOfSeat } from '@/seatmap';

/** What a press means: the seat, or all of its row or section. */
export type Reach = 'seat' | 'row' | 'section';

/** Seats to be taken off sale, and to be put on sale again, that are not yet. */
export interface OffSale {
  readonly off: ReadonlySet<number>;
  readonly on: ReadonlySet<number>;
}

export const NOTHING_CHANGED: OffSale = { off: new Set(), on: new Set() };

/** The server changes so many seats at a time. */
export const MOST_AT_A_TIME = 10_000;

export function isEmpty({ off, on }: OffSale): boolean {
  return off.size === 0 && on.size === 0;
}

/** The change in parts that the server takes. */
export function portions({ off, on }: OffSale, most = MOST_AT_A_TIME): OffSale[] {
  const all = [...off, ...on];
  return Array.from({ length: Math.ceil(all.length / most) }, (_, i) => {
    const part = all.slice(i * most, (i + 1) * most);
    return {
      off: new Set(part.filter((seat) => off.has(seat))),
      on: new Set(part.filter((seat) => on.has(seat))),
    };
  });
}

/** The seats that a press reaches. */
export function reached(layout: Layout, seat: number, reach: Reach): number[] {
  if (reach === 'seat') return [seat];
  if (reach === 'row') return [...(rowOfSeat(layout, seat)?.seats ?? [])];
  return sectionOfSeat(layout, seat)?.rows.flatMap((row) => [...row.seats]) ?? [];
}

/** Takes these seats off sale, or puts them on sale where all of them are off. Sold ones stay sold. */
export function toggled(change: OffSale, states: Uint8Array, seats: readonly number[]): OffSale {
  const unsold = seats.filter((seat) => states[seat - 1] !== SeatState.booked && seat <= states.length);
  const sell = unsold.every((seat) => isOff(change, states, seat));
  const off = new Set(change.off);
  const on = new Set(change.on);
  for (const seat of unsold) {
    const blocked = states[seat - 1] === SeatState.blocked;
    if (sell) {
      off.delete(seat);
      if (blocked) on.add(seat);
    } else {
      on.delete(seat);
      if (!blocked) off.add(seat);
    }
  }
  return { off, on };
}

/** Leaves out what has come true, or can't any more because the seat is sold or gone. */
export function stillToDo(change: OffSale, states: Uint8Array): OffSale {
  const { booked, blocked } = SeatState;
  const off = [...change.off].filter((seat) => {
    const state = states[seat - 1];
    return state !== undefined && state !== booked && state !== blocked;
  });
  const on = [...change.on].filter((seat) => states[seat - 1] === blocked);
  return { off: new Set(off), on: new Set(on) };
}

/** The seats as they will look. */
export function statesAfter(change: OffSale, states: Uint8Array): Uint8Array {
  const after = states.slice();
  for (const seat of change.off) after[seat - 1] = SeatState.blocked;
  for (const seat of change.on) after[seat - 1] = SeatState.free;
  return after;
}

/** The list to send, from the one that holds now. */
export function listAfter(change: OffSale, now: readonly number[]): number[] {
  const kept = now.filter((seat) => !change.on.has(seat));
  return [...new Set([...kept, ...change.off])].sort((a, b) => a - b);
}

function isOff(change: OffSale, states: Uint8Array, seat: number): boolean {
  if (change.off.has(seat)) return true;
  return states[seat - 1] === SeatState.blocked && !change.on.has(seat);
}
