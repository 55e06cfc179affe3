import { useQuery, useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { eventDetail } from '@/api/events';
import { keys } from '@/api/keys';
import type { Event } from '@/api/types';
import { availableSeats, SeatState, type Seats, stateOf } from '@/seatmap';

/** How often an event is asked for while nobody tells that it changed. */
const EVENT_POLL_MS = 15_000;

interface Choice {
  readonly wanted: readonly number[];
  /** A booking of it may have happened, or still may. */
  readonly unsettled: boolean;
  taken(seats: readonly number[]): void;
}

/**
 * While live updates are interrupted: lets the event follow the seats that are
 * asked for, and tells of chosen seats that others have bought. Afterwards
 * fetches what nobody has told of meanwhile.
 */
export function usePause(eventId: string, live: boolean, seats: Seats | undefined, choice: Choice): void {
  const cache = useQueryClient();
  useQuery({ ...eventDetail(eventId), refetchInterval: live ? false : EVENT_POLL_MS });

  const latest = useRef(choice);
  useEffect(() => {
    latest.current = choice;
  });
  useEffect(() => {
    if (live || !seats) return;
    cache.setQueryData<Event>(keys.events.one(eventId), (known) =>
      known ? { ...known, available_slots: availableSeats(seats) } : known,
    );
    const { wanted, unsettled, taken } = latest.current;
    // A seat that is sold while one books it may be sold to oneself.
    const gone = unsettled ? [] : soldAmong(wanted, seats);
    if (gone.length > 0) taken(gone);
  }, [live, seats, eventId, cache]);

  const wasLive = useRef(live);
  useEffect(() => {
    if (live && !wasLive.current) {
      void cache.invalidateQueries({ queryKey: keys.events.one(eventId), exact: true });
      void cache.invalidateQueries({ queryKey: keys.bookings.all });
      void cache.invalidateQueries({ queryKey: keys.notifications.all });
    }
    wasLive.current = live;
  }, [live, eventId, cache]);
}

/** Which of these seats can't be had any more. */
export function soldAmong(wanted: readonly number[], seats: Seats): number[] {
  return wanted.filter((seat) => {
    const state = stateOf(seats, seat);
    return state === SeatState.booked || state === SeatState.blocked;
  });
}
