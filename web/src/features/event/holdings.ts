// The seats that a person is choosing, as a pure state machine between what
// they want and what the server has granted. One request is under way at a
// time; whatever was chosen meanwhile goes out with the next.
//
// Holds can be away. One then goes on choosing, in this browser alone, and can
// book what one has chosen. Once they are back the choice goes out again and is
// held as far as nobody else was faster.
import type { HoldsResult } from '@/api/types';

export interface Holdings {
  /** What the person chose, in the order of choosing. */
  readonly wanted: readonly number[];
  /** What the server holds for them. */
  readonly held: readonly number[];
  /** When the holds end unless renewed, by the server's clock in milliseconds. */
  readonly expiresAt: number | null;
  /** The list that is on its way to the server. */
  readonly sending: readonly number[] | null;
  /** The last request failed; nothing is sent until the person or the renewal asks again. */
  readonly stalled: boolean;
  readonly renewDue: boolean;
  /** No holds can be had; nothing is sent but a try now and then. */
  readonly away: boolean;
  /** Holds of before they went away may live on: the whole choice must be sent again, even an empty one. */
  readonly unsure: boolean;
  /** Seats that one wanted and can't have, to be told until the next choice. */
  readonly lost: readonly number[];
  /** They had been held, and that ended; else somebody was faster. */
  readonly lostHeld: boolean;
  /** Why the choice could not be held, as a code, until the next choice. */
  readonly refusal: string | null;
}

export const NO_HOLDINGS: Holdings = {
  wanted: [],
  held: [],
  expiresAt: null,
  sending: null,
  stalled: false,
  renewDue: false,
  away: false,
  unsure: false,
  lost: [],
  lostHeld: false,
  refusal: null,
};

export type HoldingsAction =
  | { type: 'toggle'; seat: number; limit: number }
  | { type: 'clear' }
  | { type: 'renew' }
  /** Holds went away, or are back. */
  | { type: 'away' }
  | { type: 'back' }
  | { type: 'sent'; seats: readonly number[] }
  | { type: 'granted'; result: Pick<HoldsResult, 'granted' | 'conflicts' | 'expires_at'> }
  | { type: 'refused'; code: string; undo: boolean }
  | { type: 'taken'; seats: readonly number[] }
  | { type: 'server'; seats: readonly number[]; expiresAt: string | null }
  | { type: 'booked' };

/** The list that should go to the server now, or null. */
export function toSend(h: Holdings): readonly number[] | null {
  if (h.sending || h.stalled) return null;
  if (h.renewDue && (h.wanted.length > 0 || h.away)) return h.wanted;
  if (h.away) return null;
  if (h.unsure) return h.wanted;
  return sameSet(h.wanted, h.held) ? null : h.wanted;
}

export function holdingsReducer(h: Holdings, action: HoldingsAction): Holdings {
  switch (action.type) {
    case 'toggle': {
      const has = h.wanted.includes(action.seat);
      if (!has && h.wanted.length >= action.limit) return { ...h, lost: [], refusal: 'limit' };
      const wanted = has ? without(h.wanted, [action.seat]) : [...h.wanted, action.seat];
      return { ...h, wanted, lost: [], refusal: null, stalled: false };
    }
    case 'clear':
      return { ...h, wanted: [], lost: [], refusal: null, stalled: false };
    case 'renew':
      return h.wanted.length === 0 && !h.away ? h : { ...h, renewDue: true, stalled: false };
    case 'away':
      return withoutHolds(h);
    case 'back':
      return { ...h, away: false, stalled: false };
    case 'sent':
      return { ...h, sending: action.seats, renewDue: false };
    case 'granted': {
      const asked = h.sending ?? [];
      const held = action.result.granted ?? [];
      const lost = without(asked, held);
      return {
        ...h,
        sending: null,
        away: false,
        unsure: false,
        held,
        wanted: without(h.wanted, lost),
        lost: lost.length > 0 ? lost : h.lost,
        lostHeld: lost.length > 0 ? lost.every((seat) => h.held.includes(seat)) : h.lostHeld,
        expiresAt: held.length > 0 ? parse(action.result.expires_at) : null,
      };
    }
    case 'refused':
      if (action.code === 'holds_unavailable') return withoutHolds(h);
      // A refusal that another try won't change takes the choice back to what
      // is held; after a failure the choice stays and can still be booked.
      return action.undo
        ? { ...h, sending: null, unsure: false, wanted: h.held, refusal: action.code }
        : { ...h, sending: null, stalled: true, refusal: action.code };
    case 'taken':
      return {
        ...h,
        wanted: without(h.wanted, action.seats),
        held: without(h.held, action.seats),
        lost: [...action.seats],
        lostHeld: false,
      };
    case 'server': {
      // While a request is under way its answer is newer than this one, and one
      // that is due will say what may be kept.
      if (h.sending || h.away || h.unsure) return h;
      const lost = without(h.held, action.seats);
      const fresh = h.held.length === 0 && h.wanted.length === 0;
      return {
        ...h,
        held: action.seats,
        wanted: fresh ? action.seats : without(h.wanted, lost),
        lost: lost.length > 0 ? lost : h.lost,
        lostHeld: lost.length > 0 || h.lostHeld,
        expiresAt: action.seats.length > 0 ? parse(action.expiresAt) : null,
      };
    }
    case 'booked':
      return { ...NO_HOLDINGS, away: h.away, unsure: h.unsure };
  }
}

// What was held is still wanted, and that it isn't held any more is nobody's
// winning: nothing is lost, and no time runs.
function withoutHolds(h: Holdings): Holdings {
  const unsure = h.unsure || h.held.length > 0 || (h.sending?.length ?? 0) > 0;
  return {
    ...h,
    held: [],
    expiresAt: null,
    sending: null,
    stalled: false,
    renewDue: false,
    away: true,
    unsure,
    refusal: null,
  };
}

function parse(time: string | null | undefined): number | null {
  const ms = time ? Date.parse(time) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}

function without(seats: readonly number[], gone: readonly number[]): readonly number[] {
  const set = new Set(gone);
  return seats.some((seat) => set.has(seat)) ? seats.filter((seat) => !set.has(seat)) : seats;
}

function sameSet(a: readonly number[], b: readonly number[]): boolean {
  const set = new Set(b);
  return a.length === set.size && a.every((seat) => set.has(seat));
}
