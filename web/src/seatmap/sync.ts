import { applyDelta, type Delta, type Seats, type Snapshot, sameStates } from './state';

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
 *
 * Beside that stands whether the map is live at all. The store of holds and live updates can be away, as a snapshot
 * tells, and the process at the other end of the channel can be cut off from it, as the channel tells. Either is
 * enough for a pause, in which the caller fetches a snapshot every few seconds. The store's word is the snapshot's
 * alone; the channel is believed again once it says so, is joined anew, or a delta comes over it after all, so that
 * no message that gets lost can leave a map paused for ever.
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
  /** The store of holds and live updates is there, as the last snapshot told. */
  readonly storeLive: boolean;
  /** Live updates come over the channel, as far as is known. */
  readonly channelLive: boolean;
}

/** A new standing, and whether the caller must now fetch a snapshot. */
export interface SyncStep {
  readonly sync: SeatSync;
  readonly refetch: boolean;
}

/** The beginning: subscribe first, then fetch the snapshot, so that no delta falls between the two. */
export function startSync(): SeatSync {
  return {
    phase: 'loading',
    seats: undefined,
    buffer: [],
    beforeRequest: 0,
    // Until told otherwise: an outage is the exception.
    storeLive: true,
    channelLive: true,
  };
}

/** Whether holds can be made and others' choosing is seen. If not, the caller fetches a snapshot now and then. */
export function isLive(sync: SeatSync): boolean {
  return sync.storeLive && sync.channelLive;
}

/**
 * To be called when the caller fetches a snapshot for a reason of its own: after a reconnect that could not recover
 * what was missed, or because the event's number of seats changed. Deltas are buffered until it arrives.
 */
export function beginRefetch(sync: SeatSync): SeatSync {
  return loading(sync, sync.seats, sync.buffer);
}

/** Takes what the channel says of itself; one that was joined anew counts as live, too. */
export function receiveLive(sync: SeatSync, live: boolean): SyncStep {
  if (live) return { sync: { ...beginRefetch(sync), channelLive: true }, refetch: true };
  if (!sync.channelLive) return { sync, refetch: false };
  // Deltas from before prove nothing of the channel.
  return { sync: { ...loading(sync, sync.seats, []), channelLive: false }, refetch: true };
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
  if (outcome === 'gap') return { sync: loading(sync, sync.seats, [delta]), refetch: true };
  const same = seats === sync.seats && sync.channelLive;
  return { sync: same ? sync : { ...sync, seats, channelLive: true }, refetch: false };
}

/** Takes a snapshot and replays what came meanwhile; a gap in that needs another snapshot. */
export function receiveSnapshot(sync: SeatSync, snapshot: Snapshot): SyncStep {
  if (!snapshot.live) return { sync: paused(sync, snapshot.seats), refetch: false };
  const { epoch } = snapshot.seats.version;
  const lastOfEpoch = sync.buffer.findLastIndex((delta) => delta.version.epoch === epoch);
  const standing = { ...sync, storeLive: true, channelLive: sync.channelLive || lastOfEpoch >= 0 };
  let seats = snapshot.seats;
  for (const [i, delta] of sync.buffer.entries()) {
    if (delta.version.epoch !== epoch) {
      // An epoch heard of before we asked, or before we heard of the snapshot's own, is over. One that came up
      // since is newer than this snapshot.
      if (i < sync.beforeRequest || i < lastOfEpoch) continue;
      return { sync: loading(standing, seats, sync.buffer.slice(i)), refetch: true };
    }
    const step = applyDelta(seats, delta);
    if (step.outcome === 'gap') {
      return { sync: loading(standing, seats, sync.buffer.slice(i)), refetch: true };
    }
    seats = step.seats;
  }
  return { sync: { ...standing, phase: 'live', seats, buffer: [], beforeRequest: 0 }, refetch: false };
}

// A snapshot without a version to go on from: deltas wait for one that has it. Those that came before this one was
// asked for are in whatever snapshot comes next. The very same picture stays the same object, so that a poll which
// brought nothing new draws nothing.
function paused(sync: SeatSync, seats: Seats): SeatSync {
  const same = sync.seats && sameStates(sync.seats, seats);
  const waiting = loading(sync, same ? sync.seats : seats, sync.buffer.slice(sync.beforeRequest));
  return { ...waiting, storeLive: false };
}

function loading(sync: SeatSync, seats: Seats | undefined, buffer: readonly Delta[]): SeatSync {
  return { ...sync, phase: 'loading', seats, buffer, beforeRequest: buffer.length };
}
