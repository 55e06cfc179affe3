import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { useBook } from '@/api/bookings';
import { keys } from '@/api/keys';
import { ApiError, hasCode, isDefinite } from '@/api/problem';
import type { Booking, Event } from '@/api/types';
import { useIntents } from '@/lib/intent';
import type { HoldingsControl } from './useHoldings';

const IN_FLIGHT_RETRY_MS = 1000;
const MAX_IN_FLIGHT_RETRIES = 5;

export interface BookFlow {
  readonly busy: boolean;
  readonly error: unknown;
  /** What the last request led to, until it is put away. */
  readonly result: Booking | null;
  /** The last request may have booked, or still may: only trying it again tells. */
  readonly unsettled: boolean;
  /** When another try makes sense, by this device's clock. */
  readonly retryAt: number | null;
  book(seats: number, seatNumbers?: readonly number[]): void;
  reset(): void;
  dismiss(): void;
}

/**
 * Books, and makes the best of a refusal. One wish keeps its idempotency key
 * until the server has answered it for good, so trying again after a cut or a
 * time-out can't book twice.
 */
export function useBookFlow(event: Event, holdings: HoldingsControl, refetchSeats: () => void): BookFlow {
  const cache = useQueryClient();
  const mutation = useBook();
  const intents = useIntents();
  const [result, setResult] = useState<Booking | null>(null);
  const [retryAt, setRetryAt] = useState<number | null>(null);

  useEffect(() => {
    if (retryAt === null) return undefined;
    const timer = setTimeout(() => setRetryAt(null), Math.max(0, retryAt - Date.now()));
    return () => clearTimeout(timer);
  }, [retryAt]);

  const refused = (error: unknown) => {
    if (!(error instanceof ApiError)) return;
    if (isDefinite(error)) intents.settle();
    if (error.retryAfter !== null) setRetryAt(Date.now() + error.retryAfter * 1000);
    if (hasCode(error, 'seats_unavailable')) {
      holdings.taken(error.seats('seat_numbers'));
      refetchSeats();
    }
    if (hasCode(error, 'org_suspended')) {
      void cache.invalidateQueries({ queryKey: keys.organizations.one(event.org_id) });
    }
    if (hasCode(error, 'waitlist_first', 'sold_out', 'waitlist_full', 'event_not_bookable', 'seat_limit')) {
      void cache.invalidateQueries({ queryKey: keys.events.one(event.id), exact: true });
      void cache.invalidateQueries({ queryKey: keys.bookings.all });
    }
  };

  const send = (seats: number, seatNumbers: readonly number[] | undefined, tries: number) => {
    const wish = {
      eventId: event.id,
      seats,
      seatNumbers: seatNumbers ? [...seatNumbers].sort((a, b) => a - b) : undefined,
    };
    mutation.mutate(
      { ...wish, idempotencyKey: intents.keyFor(wish) },
      {
        onSuccess: (booking) => {
          intents.settle();
          if (booking.status === 'confirmed') holdings.booked();
          setResult(booking);
        },
        onError: (error) => {
          // The first request with this key is still being worked on: its
          // answer is ours as soon as it is there.
          const inFlight = hasCode(error, 'duplicate_request') && error.text('booking_id') === null;
          if (inFlight && tries < MAX_IN_FLIGHT_RETRIES) {
            setTimeout(() => send(seats, seatNumbers, tries + 1), IN_FLIGHT_RETRY_MS);
            return;
          }
          refused(error);
        },
      },
    );
  };

  return {
    busy: mutation.isPending,
    error: mutation.error,
    result,
    unsettled: mutation.isPending || (mutation.isError && !isDefinite(mutation.error)),
    retryAt,
    book: (seats, seatNumbers) => send(seats, seatNumbers, 0),
    reset: () => {
      if (mutation.error) mutation.reset();
    },
    dismiss: () => setResult(null),
  };
}
