import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useReducer, useRef, useState } from 'react';
import { serverNow } from '@/api/clock';
import { keys } from '@/api/keys';
import { ApiError, hasCode } from '@/api/problem';
import { putHolds, releaseHoldsOnLeave, useHolds } from '@/api/seats';
import { type Holdings, holdingsReducer, NO_HOLDINGS, toSend } from './holdings';

const RENEW_MS = 45_000;
const MIN_RENEW_MS = 5_000;
/** How soon holds are tried again that could not be had although the map is live. */
const AWAY_RETRY_MS = 5_000;
const DEFAULT_HOLD_LIMIT = 20;

export interface HoldingsControl {
  readonly state: Holdings;
  /** How many seats one may hold at this event. */
  readonly limit: number;
  /** Chooses or gives back a seat; `limit` is how many one may choose now. */
  toggle(seat: number, limit: number): void;
  clear(): void;
  /** Others have these seats, as a refused booking told. */
  taken(seats: readonly number[]): void;
  /** The holds became a booking; there is nothing left to release. */
  booked(): void;
}

/**
 * Holds the seats that one chooses for as long as the component is mounted:
 * sends the choice, renews it, and lets go on leaving. While the map is not
 * `live` there are no holds and none are asked for; `onAway` is told when the
 * server says so first.
 */
export function useHoldings(
  eventId: string,
  enabled: boolean,
  live: boolean,
  onAway: () => void,
): HoldingsControl {
  const [state, dispatch] = useReducer(holdingsReducer, NO_HOLDINGS);
  const cache = useQueryClient();
  const server = useHolds(eventId, enabled && live);
  // Counts the outages: what was asked before one is answered for nothing.
  const outages = useRef(0);
  const limit = server.data?.hold_limit || DEFAULT_HOLD_LIMIT;

  // biome-ignore lint/correctness/useExhaustiveDependencies: an answer equal to an older one is news, too.
  useEffect(() => {
    if (server.data) {
      dispatch({
        type: 'server',
        seats: server.data.seat_numbers ?? [],
        expiresAt: server.data.expires_at ?? null,
      });
    }
  }, [server.data, server.dataUpdatedAt]);

  const wasLive = useRef(true);
  useEffect(() => {
    if (wasLive.current === live) return;
    wasLive.current = live;
    if (!live) outages.current += 1;
    dispatch({ type: live ? 'back' : 'away' });
  }, [live]);

  useEffect(() => {
    const seats = enabled && live ? toSend(state) : null;
    if (!seats) return;
    const outage = outages.current;
    dispatch({ type: 'sent', seats });
    // An answer that is still on its way would tell of the time before this request.
    void cache.cancelQueries({ queryKey: keys.events.holds(eventId) });
    putHolds(eventId, seats).then(
      (result) => {
        if (outage === outages.current) dispatch({ type: 'granted', result });
      },
      (error: unknown) => {
        if (outage !== outages.current) return;
        dispatch({ type: 'refused', ...judge(error) });
        if (hasCode(error, 'holds_unavailable')) onAway();
      },
    );
  }, [state, enabled, live, eventId, cache, onAway]);

  // Early enough for another try before the holds end, however long they live.
  const { expiresAt, away } = state;
  const holding = state.wanted.length > 0;
  useEffect(() => {
    if (!enabled || !live || !(holding || away)) return undefined;
    const left = expiresAt === null ? RENEW_MS : (expiresAt - serverNow()) / 2.5;
    const pause = away ? AWAY_RETRY_MS : Math.min(RENEW_MS, Math.max(MIN_RENEW_MS, left));
    const timer = setInterval(() => dispatch({ type: 'renew' }), pause);
    return () => clearInterval(timer);
  }, [holding, enabled, live, away, expiresAt]);

  const refetch = server.refetch;
  useEffect(() => {
    if (expiresAt === null) return undefined;
    // A little later than the end, so that the server agrees that it is over.
    const timer = setTimeout(() => void refetch(), Math.max(0, expiresAt - serverNow()) + 700);
    return () => clearTimeout(timer);
  }, [expiresAt, refetch]);

  useReleaseOnLeave(eventId, state);

  return {
    state,
    limit,
    toggle: useCallback((seat: number, most: number) => dispatch({ type: 'toggle', seat, limit: most }), []),
    clear: useCallback(() => dispatch({ type: 'clear' }), []),
    taken: useCallback((seats: readonly number[]) => dispatch({ type: 'taken', seats }), []),
    booked: useCallback(() => dispatch({ type: 'booked' }), []),
  };
}

// What another try of the same list can't change is taken back.
function judge(error: unknown): { code: string; undo: boolean } {
  if (!(error instanceof ApiError)) return { code: 'failed', undo: false };
  const failure = error.status === 0 || error.status >= 500 || error.status === 429;
  return { code: error.code, undo: !failure };
}

function useReleaseOnLeave(eventId: string, state: Holdings): void {
  const mayHold = useRef(false);
  useEffect(() => {
    mayHold.current = state.held.length > 0 || state.unsure || (state.sending?.length ?? 0) > 0;
  });
  useEffect(() => {
    const release = () => {
      if (mayHold.current) releaseHoldsOnLeave(eventId);
      mayHold.current = false;
    };
    window.addEventListener('pagehide', release);
    return () => {
      window.removeEventListener('pagehide', release);
      release();
    };
  }, [eventId]);
}

/** Milliseconds until a time of the server's clock, ticking each second; null for no time. */
export function useCountdown(until: number | null): number | null {
  const [now, setNow] = useState(serverNow);
  useEffect(() => {
    if (until === null) return undefined;
    setNow(serverNow());
    const timer = setInterval(() => setNow(serverNow()), 1000);
    return () => clearInterval(timer);
  }, [until]);
  return until === null ? null : Math.max(0, until - now);
}
