import { applyDelta, type Delta, type Seats } from './state';

/*
 * Keeping up with the server: live deltas on top of a snapshot, and what to do with deltas that arrive while a
 * snapshot is on its way.
 *
 *      startSync ──▶ loading ── receiveSnapshot ──▶ live ── receiveDelta ──▶ live
 *                       ▲  ▲         │ gap in what was buffered  │ gap
 *                       │  └─────────┘                           │
 *                       └────────────────────────────────────────┘
 *
 * Whenever a step says `refetch`, the caller fetches a snapshot and hands it to receiveSnapshot, pacing repeated
 * fetches as it likes: nothing here runs by itself, and a map that lags is put right by the version that the server
 * repeats every few seconds.
 */

/** More deltas than this come only if a snapshot takes most of a minute; then the oldest go, and it is fetched anew. */
export const MAX_BUFFERED_DELTAS = 1000;

/** Where a client stands. While loading, `seats` is the last known picture, to be shown rather than nothing. */
export interface SeatSync {
  readonly phase: 'loading' | 'live';
  readonly seats: Seats | undefined;
  /** Deltas that await the snapshot, in order of arrival. */
  readonly buffer: readonly Delta[];
  /** How many of them had arrived before the snapshot was asked for. */
  readonly beforeRequest: number;
}

/** A new standing, and whether the caller must now fetch a snapshot. */
export interface SyncStep {
  readonly sync: SeatSync;
  readonly refetch: boolean;
}

/** The beginning: subscribe first, then fetch the snapshot, so that no delta falls between the two. */
export function startSync(): SeatSync {
  return { phase: 'loading', seats: undefined, buffer: [], beforeRequest: 0 };
}

/**
 * To be called when the caller fetches a snapshot for a reason of its own: after a reconnect that could not recover
 * what was missed, or because the event's number of seats changed. Deltas are buffered until it arrives.
 */
export function beginRefetch(sync: SeatSync): SeatSync {
  return loading(sync.seats, sync.buffer);
}

/** Takes a delta: applies it when live, else keeps it until the snapshot is there. */
export function receiveDelta(sync: SeatSync, delta: Delta): SyncStep {
  if (sync.phase === 'loading' || !sync.seats) {
    const overflow = Math.max(0, sync.buffer.length + 1 - MAX_BUFFERED_DELTAS);
    const buffer = [...sync.buffer.slice(overflow), delta];
    return {
      sync: { ...sync, buffer, beforeRequest: Math.max(0, sync.beforeRequest - overflow) },
      refetch: false,
    };
  }
  const { outcome, seats } = applyDelta(sync.seats, delta);
  if (outcome === 'gap') return { sync: loading(sync.seats, [delta]), refetch: true };
  return { sync: seats === sync.seats ? sync : { ...sync, seats }, refetch: false };
}

/** Takes a snapshot and replays what came meanwhile; a gap in that needs another snapshot. */
export function receiveSnapshot(sync: SeatSync, snapshot: Seats): SyncStep {
  const { epoch } = snapshot.version;
  const lastOfEpoch = sync.buffer.findLastIndex((delta) => delta.version.epoch === epoch);
  let seats = snapshot;
  for (const [i, delta] of sync.buffer.entries()) {
    if (delta.version.epoch !== epoch) {
      // An epoch heard of before we asked, or before we heard of the snapshot's own, is over. One that came up
      // since is newer than this snapshot.
      if (i < sync.beforeRequest || i < lastOfEpoch) continue;
      return { sync: loading(seats, sync.buffer.slice(i)), refetch: true };
    }
    const step = applyDelta(seats, delta);
    if (step.outcome === 'gap') return { sync: loading(seats, sync.buffer.slice(i)), refetch: true };
    seats = step.seats;
  }
  return { sync: { phase: 'live', seats, buffer: [], beforeRequest: 0 }, refetch: false };
}

function loading(seats: Seats | undefined, buffer: readonly Delta[]): SeatSync {
  return { phase: 'loading', seats, buffer, beforeRequest: buffer.length };
}
