import { useCallback, useEffect, useRef, useState } from 'react';
import { fetchSeats } from '@/api/seats';
import { useEventChannel } from '@/realtime/hooks';
import {
  beginRefetch,
  readDelta,
  readSnapshot,
  receiveDelta,
  receiveSnapshot,
  type SeatSync,
  type Seats,
  startSync,
} from '@/seatmap';

const RETRY_MS = 1500;
const MAX_RETRY_MS = 20_000;

export interface LiveSeats {
  /** Undefined until the first snapshot is there. */
  readonly seats: Seats | undefined;
  readonly error: unknown;
  /** Fetches a snapshot now, for example because a booking told of seats that are gone. */
  refetch(): void;
}

/**
 * The states of an event's seats: a snapshot, kept current by the event's
 * channel. For one event as long as the component lives.
 */
export function useSeats(eventId: string, totalSlots: number): LiveSeats {
  const [seats, setSeats] = useState<Seats>();
  const [error, setError] = useState<unknown>(null);
  const sync = useRef<SeatSync>(startSync());
  const running = useRef<AbortController | null>(null);
  const failures = useRef(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  const fetchSnapshot = useCallback(async () => {
    // The fetch that is under way began before whatever now asks for one.
    running.current?.abort();
    clearTimeout(timer.current);
    const request = new AbortController();
    running.current = request;
    sync.current = beginRefetch(sync.current);
    try {
      const snapshot = readSnapshot(await fetchSeats(eventId, request.signal));
      if (request.signal.aborted) return;
      const step = receiveSnapshot(sync.current, snapshot);
      sync.current = step.sync;
      setSeats(step.sync.seats);
      setError(null);
      failures.current = step.refetch ? failures.current + 1 : 0;
      if (step.refetch) timer.current = setTimeout(() => void fetchSnapshot(), pause(failures.current));
    } catch (problem) {
      if (request.signal.aborted) return;
      setError(problem);
      failures.current += 1;
      timer.current = setTimeout(() => void fetchSnapshot(), pause(failures.current));
    }
  }, [eventId]);

  // The organizer added or removed seats.
  const shown = seats?.states.length;
  useEffect(() => {
    if (shown !== undefined && shown !== totalSlots) void fetchSnapshot();
  }, [shown, totalSlots, fetchSnapshot]);

  useEventChannel(eventId, {
    onFresh: () => void fetchSnapshot(),
    onSeats: (message) => {
      const delta = readDelta(message);
      if (!delta) return;
      const step = receiveDelta(sync.current, delta);
      const changed = step.sync.seats !== sync.current.seats;
      sync.current = step.sync;
      if (changed) setSeats(step.sync.seats);
      if (step.refetch) void fetchSnapshot();
    },
  });

  useEffect(() => {
    // A channel that is live already has asked for the first snapshot by now.
    if (!running.current) void fetchSnapshot();
    return () => {
      running.current?.abort();
      running.current = null;
      clearTimeout(timer.current);
    };
  }, [fetchSnapshot]);

  return { seats, error, refetch: useCallback(() => void fetchSnapshot(), [fetchSnapshot]) };
}

// Everyone who watches a hall loses the same message at the same time; a random
// part keeps them from asking for the snapshot at the same time too.
function pause(failures: number): number {
  return Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (failures - 1)) * (0.6 + Math.random() * 0.8);
}
