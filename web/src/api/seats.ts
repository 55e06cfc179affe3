// The seats' states and the caller's holds.
import { useQuery } from '@tanstack/react-query';
import { answer, api } from './client';
import { keys } from './keys';
import { ApiError } from './problem';
import type { Holds, HoldsResult, SeatStates } from './types';

/** A snapshot of all seats. It is not cached here: the live map keeps it and patches it. */
export async function fetchSeats(eventId: string, signal?: AbortSignal): Promise<SeatStates> {
  const body = await answer(
    api.GET('/events/{id}/seats', { params: { path: { id: eventId } }, ...(signal ? { signal } : {}) }),
  );
  // The same path spells seats out with labels when asked to, which we don't.
  if ('version' in body) return body;
  throw new ApiError({ status: 0, code: 'unexpected_answer' });
}

export function fetchHolds(eventId: string): Promise<Holds> {
  return answer(api.GET('/events/{id}/holds', { params: { path: { id: eventId } } }));
}

export function useHolds(eventId: string, enabled: boolean) {
  return useQuery({
    queryKey: keys.events.holds(eventId),
    queryFn: () => fetchHolds(eventId),
    enabled,
    // Holds of an earlier visit are over; they must never be shown as if they weren't.
    staleTime: 0,
    gcTime: 0,
  });
}

/** Replaces the caller's holds; sending the same list again renews them, an empty one lets all go. */
export function putHolds(eventId: string, seatNumbers: readonly number[]): Promise<HoldsResult> {
  return answer(
    api.PUT('/events/{id}/holds', {
      params: { path: { id: eventId } },
      body: { seat_numbers: [...seatNumbers] },
    }),
  );
}

/** Lets all holds go, also while the page is being left. */
export function releaseHoldsOnLeave(eventId: string): void {
  void fetch(`/api/events/${encodeURIComponent(eventId)}/holds`, { method: 'DELETE', keepalive: true }).catch(
    () => {
      // The holds expire by themselves.
    },
  );
}
