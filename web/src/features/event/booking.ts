// What a booking panel offers, decided from what is known. The server decides
// again; this only keeps the screen from promising what can't be had.
import type { Booking, Event } from '@/api/types';

export type Offer =
  | { kind: 'closed'; why: 'cancelled' | 'ongoing' | 'completed' | 'suspended' }
  /** As many wait as may, or there is no waitlist at all (`none`). */
  | { kind: 'full'; none: boolean }
  | { kind: 'limit'; most: number }
  /** Seats can be booked, up to `most` at once. */
  | { kind: 'book'; most: number }
  /** A request would wait: sold out, or (under strict order) others wait already. */
  | { kind: 'wait'; most: number; why: 'sold_out' | 'line' };

/** No party is larger than this in one go, whatever the event allows. */
export const MOST_AT_ONCE = 100;

export function offerFor(
  event: Pick<
    Event,
    | 'status'
    | 'available_slots'
    | 'waiting_parties'
    | 'waitlist_policy'
    | 'waitlist_limit'
    | 'max_seats_per_user'
    | 'total_slots'
  >,
  mine: readonly Pick<Booking, 'status' | 'seats'>[],
  suspended: boolean,
): Offer {
  if (event.status !== 'upcoming') return { kind: 'closed', why: event.status };
  if (suspended) return { kind: 'closed', why: 'suspended' };
  const limit = event.max_seats_per_user ?? event.total_slots;
  const have = mine.filter((b) => b.status !== 'cancelled').reduce((sum, b) => sum + b.seats, 0);
  const most = Math.min(limit - have, event.total_slots, MOST_AT_ONCE);
  if (most <= 0) return { kind: 'limit', most: limit };
  const line = event.waitlist_policy === 'strict' && event.waiting_parties > 0;
  if (event.available_slots > 0 && !line) {
    // Where nobody more may wait, a larger party than there are seats has nothing to ask for.
    return { kind: 'book', most: isFull(event) ? Math.min(most, event.available_slots) : most };
  }
  if (isFull(event)) return { kind: 'full', none: event.waitlist_limit === 0 };
  return { kind: 'wait', most, why: event.available_slots <= 0 ? 'sold_out' : 'line' };
}

/** Whether nobody more may wait. */
export function isFull(event: Pick<Event, 'waitlist_limit' | 'waiting_parties'>): boolean {
  return event.waitlist_limit !== null && event.waiting_parties >= event.waitlist_limit;
}

/** Whether a party of this size would wait although seats are on offer. */
export function wouldWait(event: Pick<Event, 'available_slots'>, offer: Offer, seats: number): boolean {
  return offer.kind === 'wait' || (offer.kind === 'book' && seats > event.available_slots);
}
