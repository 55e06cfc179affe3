// What a booking panel offers, decided from what is known. The server decides
// again; this only keeps the screen from promising what can't be had.
import type { Booking, Event } from '@/api/types';

export type Offer =
  | { kind: 'closed'; why: 'cancelled' | 'ongoing' | 'completed' }
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
    | 'max_seats_per_user'
    | 'total_slots'
  >,
  mine: readonly Pick<Booking, 'status' | 'seats'>[],
): Offer {
  if (event.status !== 'upcoming') return { kind: 'closed', why: event.status };
  const limit = event.max_seats_per_user ?? event.total_slots;
  const have = mine.filter((b) => b.status !== 'cancelled').reduce((sum, b) => sum + b.seats, 0);
  const most = Math.min(limit - have, event.total_slots, MOST_AT_ONCE);
  if (most <= 0) return { kind: 'limit', most: limit };
  if (event.available_slots <= 0) return { kind: 'wait', most, why: 'sold_out' };
  if (event.waitlist_policy === 'strict' && event.waiting_parties > 0)
    return { kind: 'wait', most, why: 'line' };
  return { kind: 'book', most };
}

/** Whether a party of this size would wait although seats are on offer. */
export function wouldWait(event: Pick<Event, 'available_slots'>, offer: Offer, seats: number): boolean {
  return offer.kind === 'wait' || (offer.kind === 'book' && seats > event.available_slots);
}
