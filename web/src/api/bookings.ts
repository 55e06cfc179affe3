// Bookings of the person signed in, and changing them.
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from './client';
import { type BookingFilter, keys } from './keys';
import type { Booking } from './types';

export function useMyBookings(userId: string | undefined, filter: BookingFilter = {}) {
  return useInfiniteQuery({
    queryKey: keys.bookings.mine(userId ?? '', filter),
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/bookings/user/{userId}', {
          params: {
            path: { userId: userId ?? '' },
            query: { ...filter, limit: 50, ...(pageParam ? { cursor: pageParam } : {}) },
          },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    enabled: userId !== undefined,
  });
}

export function useBooking(id: string) {
  return useQuery({
    queryKey: keys.bookings.one(id),
    queryFn: ({ signal }) => answer(api.GET('/bookings/{id}', { params: { path: { id } }, signal })),
  });
}

export function useBookingHistory(id: string) {
  return useQuery({
    queryKey: keys.bookings.history(id),
    queryFn: ({ signal }) => answer(api.GET('/bookings/{id}/history', { params: { path: { id } }, signal })),
  });
}

export interface BookingWish {
  readonly eventId: string;
  readonly seats: number;
  /** The seats wanted; without them the server chooses the best. */
  readonly seatNumbers?: readonly number[] | undefined;
  /** One per intent and kept over retries, so that a wish is never granted twice. */
  readonly idempotencyKey: string;
}

export function useBook() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (wish: BookingWish) =>
      answer(
        api.POST('/bookings', {
          params: { header: { 'Idempotency-Key': wish.idempotencyKey } },
          body: {
            event_id: wish.eventId,
            seats: wish.seats,
            ...(wish.seatNumbers ? { seat_numbers: [...wish.seatNumbers] } : {}),
          },
        }),
      ),
    onSuccess: (booking) => forget(cache, booking),
  });
}

export interface BookingForWish {
  readonly email: string;
  readonly seats: number;
  readonly seatNumbers?: readonly number[] | undefined;
  readonly idempotencyKey: string;
}

/** Books for somebody by their address, for those who run the event. */
export function useBookFor(eventId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (wish: BookingForWish) =>
      answer(
        api.POST('/events/{id}/bookings', {
          params: { path: { id: eventId }, header: { 'Idempotency-Key': wish.idempotencyKey } },
          body: {
            email: wish.email,
            seats: wish.seats,
            ...(wish.seatNumbers ? { seat_numbers: [...wish.seatNumbers] } : {}),
          },
        }),
      ),
    onSuccess: (booking) => forget(cache, booking),
  });
}

export function useCancelBooking() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ id, idempotencyKey }: { id: string; idempotencyKey: string }) =>
      answer(
        api.POST('/bookings/{id}/cancel', {
          params: { path: { id }, header: { 'Idempotency-Key': idempotencyKey } },
        }),
      ),
    onSuccess: (booking) => forget(cache, booking),
  });
}

export function useCancelSeats() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({
      id,
      seatNumbers,
      idempotencyKey,
    }: {
      id: string;
      seatNumbers: readonly number[];
      idempotencyKey: string;
    }) =>
      answer(
        api.POST('/bookings/{id}/cancel-seats', {
          params: { path: { id }, header: { 'Idempotency-Key': idempotencyKey } },
          body: { seat_numbers: [...seatNumbers] },
        }),
      ),
    onSuccess: (booking) => forget(cache, booking),
  });
}

// A change of a booking moves lists, history, the event's counters and the
// waitlist; all of them are asked for again.
async function forget(cache: ReturnType<typeof useQueryClient>, booking: Booking): Promise<void> {
  await Promise.all([
    cache.invalidateQueries({ queryKey: keys.bookings.all }),
    cache.invalidateQueries({ queryKey: keys.events.one(booking.event_id) }),
  ]);
}
