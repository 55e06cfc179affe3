import { useCallback, useEffect, useRef, useState } from 'react';
import { fetchSeats } from '@/api/seats';
import { useEventChannel } from '@/realtime/hooks';
import {
  beginRefetch,
  isLive,
  readDelta,
  readSnapshot,
  receiveDelta,
  receiveLive,
  receiveSnapshot,
  type SeatSync,
  type Seats,
  type SyncStep,
  startSync,
} from '@/seatmap';
import { usePolling } from './usePolling';

const RETRY_MS = 1500;
const MAX_RETRY_MS = 20_000;
/** How often the seats are asked for while nobody tells of them. */
const POLL_MS = 3000;
/** Everybody is told of a pause, of its end and of a new epoch at the same time; this spreads what they ask then. */
const SPREAD_MS = 1500;

export interface LiveSeats {
  /** Undefined until the first snapshot is there. */
  readonly seats: Seats | undefined;
  /** False while holds and live updates are away; the seats are then asked for every few seconds. */
  readonly live: boolean;
  readonly error: unknown;
  /** Fetches a snapshot now, for example because a booking told of seats that are gone; over once it is shown, or failed. */
  refetch(): Promise<void>;
}

/**
 * The states of an event's seats: a snapshot, kept current by the event's
 * channel, or by asking again while that is interrupted. For one event as long
 * as the component lives.
 */
export function useSeats(eventId: string, totalSlots: number): LiveSeats {
  const [seats, setSeats] = useState<Seats>();
  const [live, setLive] = useState(true);
  const [error, setError] = useState<unknown>(null);
  const sync = useRef<SeatSync>(startSync());
  const running = useRef<AbortController | null>(null);
  const failures = useRef(0);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);

  const take = useCallback((step: SyncStep) => {
    sync.current = step.sync;
    setSeats(step.sync.seats);
    setLive(isLive(step.sync));
  }, []);

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
      take(step);
      setError(null);
      failures.current = step.refetch ? failures.current + 1 : 0;
      if (step.refetch) timer.current = setTimeout(() => void fetchSnapshot(), pause(failures.current));
    } catch (problem) {
      if (request.signal.aborted) return;
      setError(problem);
      failures.current += 1;
      timer.current = setTimeout(() => void fetchSnapshot(), pause(failures.current));
    }
  }, [eventId, take]);

  // What comes over the channel until then waits for the snapshot, and asks for no other.
  const fetchSpread = useCallback(() => {
    clearTimeout(timer.current);
    timer.current = setTimeout(() => void fetchSnapshot(), Math.random() * SPREAD_MS);
  }, [fetchSnapshot]);

  // A failure has a timer of its own, which grows more patient.
  const poll = useCallback(async () => {
    if (failures.current === 0) await fetchSnapshot();
  }, [fetchSnapshot]);
  usePolling(!live, POLL_MS, poll);

  // The organizer added or removed seats.
  const shown = seats?.states.length;
  useEffect(() => {
    if (shown !== undefined && shown !== totalSlots) void fetchSnapshot();
  }, [shown, totalSlots, fetchSnapshot]);

  useEventChannel(eventId, {
    onFresh: () => {
      take(receiveLive(sync.current, true));
      void fetchSnapshot();
    },
    onLive: (now) => {
      const step = receiveLive(sync.current, now);
      take(step);
      if (step.refetch) fetchSpread();
    },
    onSeats: (message) => {
      const delta = readDelta(message);
      if (!delta) return;
      const step = receiveDelta(sync.current, delta);
      take(step);
      if (step.refetch) fetchSpread();
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

  return { seats, live, error, refetch: fetchSnapshot };
}

// Everyone who watches a hall loses the same message at the same time; a random
// part keeps them from asking for the snapshot at the same time too.
function pause(failures: number): number {
  return Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** (failures - 1)) * (0.6 + Math.random() * 0.8);
}
