/*
 * What the server says about an event's seats, the same for everybody: a snapshot of all states, then deltas.
 *
 * The version is "epoch:n". n grows by exactly one for each published delta; a snapshot carries the n of the last
 * delta published before its states were read, so it may already contain later changes. Deltas name absolute states,
 * hence applying one that a snapshot contains already does no harm, and what it sets back the next one sets right.
 */

/** State of a seat as it travels: two bits. Who holds or booked it is told to nobody but them. */
export const SeatState = { free: 0, held: 1, booked: 2, blocked: 3 } as const;
export type SeatState = (typeof SeatState)[keyof typeof SeatState];

/** A point in the history of an event's seats. Versions of different epochs can't be compared. */
export interface Version {
  readonly epoch: string;
  readonly n: number;
}

/** How many seats are in each state; index by SeatState. */
export type SeatCounts = readonly [free: number, held: number, booked: number, blocked: number];

/** All seats of an event at a version. Immutable: `states`, indexed by seat number − 1, is never written to. */
export interface Seats {
  readonly version: Version;
  readonly states: Uint8Array;
  readonly counts: SeatCounts;
}

/** A change of some seats to absolute states; without seats it only repeats the version. */
export interface Delta {
  readonly version: Version;
  readonly seats: readonly (readonly [seat: number, state: SeatState])[];
}

/** The body of `GET /events/{id}/seats`, as far as the map needs it. */
export interface SnapshotBody {
  readonly version: string;
  readonly total_slots: number;
  readonly states: string;
  /** Not told by a server of before holds could be away; one may answer beside newer ones. */
  readonly live?: boolean;
}

/**
 * All seats as the server answers them. Unless `live`, the store of holds and live updates is away: what is sold or
 * blocked is true, nobody's choosing is in it, and its version continues nothing.
 */
export interface Snapshot {
  readonly seats: Seats;
  readonly live: boolean;
}

/**
 * What a delta meant: `applied`; `current`, a repeated version that equals ours; `stale`, one that we had, dropped;
 * `gap`, we have missed something (or the epoch or the hall changed) and must fetch a snapshot.
 */
export type DeltaOutcome = 'applied' | 'current' | 'stale' | 'gap';

/** Said of a snapshot that can't be read; its message is for logs, not for people. */
export class SeatDataError extends Error {
  override readonly name = 'SeatDataError';
}

const SEATS_PER_BYTE = 4;
const VERSION = /^(.+):(\d{1,16})$/;

/** Reads "epoch:n"; the epoch may contain colons itself. Answers undefined for anything else. */
export function parseVersion(text: string): Version | undefined {
  const [, epoch, digits] = VERSION.exec(text) ?? [];
  const n = Number(digits);
  return epoch !== undefined && Number.isSafeInteger(n) ? { epoch, n } : undefined;
}

/** Writes a version as it travels. */
export function formatVersion(version: Version): string {
  return `${version.epoch}:${version.n}`;
}

/** Unpacks base64 of 2 bits a seat, seat 1 in the lowest bits of the first byte. Throws a SeatDataError. */
export function decodeStates(base64: string, totalSlots: number): Uint8Array {
  let bytes: string;
  try {
    bytes = atob(base64);
  } catch {
    throw new SeatDataError('seat states are not base64');
  }
  if (
    !Number.isInteger(totalSlots) ||
    totalSlots < 0 ||
    bytes.length !== Math.ceil(totalSlots / SEATS_PER_BYTE)
  ) {
    throw new SeatDataError(`${bytes.length} bytes of seat states don't fit ${totalSlots} seats`);
  }
  const states = new Uint8Array(totalSlots);
  for (let i = 0; i < totalSlots; i++) {
    states[i] = (bytes.charCodeAt(i >> 2) >> ((i & 3) * 2)) & 3;
  }
  return states;
}

/** Reads a snapshot as the API sends it. Throws a SeatDataError. */
export function readSnapshot(body: SnapshotBody): Snapshot {
  const version = parseVersion(body.version);
  if (!version) throw new SeatDataError('a snapshot without a version');
  const states = decodeStates(body.states, body.total_slots);
  return { seats: { version, states, counts: countStates(states) }, live: body.live !== false };
}

/** Reads a message of the event's channel: a delta, or undefined for a message that isn't a well-formed one. */
export function readDelta(message: unknown): Delta | undefined {
  if (typeof message !== 'object' || message === null || !('version' in message) || !('seats' in message))
    return undefined;
  const { version: text, seats } = message;
  const version = typeof text === 'string' ? parseVersion(text) : undefined;
  if (!version || !Array.isArray(seats)) return undefined;
  return seats.every(isSeatChange) ? { version, seats } : undefined;
}

/** Applies a delta; `seats` is the very same object unless the outcome is `applied`. */
export function applyDelta(
  seats: Seats,
  delta: Delta,
): { readonly outcome: DeltaOutcome; readonly seats: Seats } {
  const { version } = seats;
  const { epoch, n } = delta.version;
  if (epoch !== version.epoch) return { outcome: 'gap', seats };
  if (delta.seats.length === 0 && n === version.n) return { outcome: 'current', seats };
  if (n <= version.n) return { outcome: 'stale', seats };
  // A repeated version that is ahead of ours, even by one, says that the delta which made it never came.
  if (n > version.n + 1 || delta.seats.length === 0) return { outcome: 'gap', seats };

  const states = seats.states.slice();
  const counts: [number, number, number, number] = [...seats.counts];
  for (const [seat, state] of delta.seats) {
    const before = states[seat - 1];
    // A seat that we don't know means that the hall has grown since our snapshot.
    if (before === undefined) return { outcome: 'gap', seats };
    counts[before as SeatState]--;
    counts[state]++;
    states[seat - 1] = state;
  }
  return { outcome: 'applied', seats: { version: delta.version, states, counts } };
}

/** The state of a seat, or undefined for a number outside the event. */
export function stateOf(seats: Seats, seat: number): SeatState | undefined {
  return seats.states[seat - 1] as SeatState | undefined;
}

/** Seats neither sold nor blocked. A held one counts: a hold is not a sale. */
export function availableSeats(seats: Seats): number {
  return seats.counts[SeatState.free] + seats.counts[SeatState.held];
}

/** The same seats without anybody's choosing, for when holds can't be seen to end. */
export function withoutHolds(seats: Seats): Seats {
  const { free, held } = SeatState;
  if (seats.counts[held] === 0) return seats;
  const states = seats.states.map((state) => (state === held ? free : state));
  return { version: seats.version, states, counts: countStates(states) };
}

/** Whether both show the same, whatever their versions. */
export function sameStates(a: Seats, b: Seats): boolean {
  return a.states.length === b.states.length && a.states.every((state, i) => state === b.states[i]);
}

function countStates(states: Uint8Array): SeatCounts {
  const counts: [number, number, number, number] = [0, 0, 0, 0];
  for (const state of states) counts[state as SeatState]++;
  return counts;
}

function isSeatChange(pair: unknown): pair is [number, SeatState] {
  if (!Array.isArray(pair) || pair.length !== 2) return false;
  const [seat, state]: unknown[] = pair;
  return (
    Number.isSafeInteger(seat) &&
    Number(seat) >= 1 &&
    (state === 0 || state === 1 || state === 2 || state === 3)
  );
}
