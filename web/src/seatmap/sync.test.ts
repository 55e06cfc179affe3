import { describe, expect, it } from 'vitest';
import { below, seeded } from './seeded.testkit';
import { applyDelta, type Delta, type SeatState, type Seats } from './state';
import {
  beginRefetch,
  MAX_BUFFERED_DELTAS,
  receiveDelta,
  receiveSnapshot,
  type SeatSync,
  startSync,
} from './sync';

function seatsOf(epoch: string, n: number, states: readonly number[]): Seats {
  const counts: [number, number, number, number] = [0, 0, 0, 0];
  for (const state of states) counts[state as SeatState]++;
  return { version: { epoch, n }, states: Uint8Array.from(states), counts };
}

function delta(epoch: string, n: number, ...seats: [number, SeatState][]): Delta {
  return { version: { epoch, n }, seats };
}

function live(seats: Seats): SeatSync {
  return receiveSnapshot(startSync(), seats).sync;
}

function after(sync: SeatSync, ...deltas: Delta[]): SeatSync {
  return deltas.reduce((now, next) => receiveDelta(now, next).sync, sync);
}

describe('while loading', () => {
  it('replays what came meanwhile, dropping what the snapshot knows', () => {
    const waiting = after(startSync(), delta('e', 4, [1, 2]), delta('e', 5, [2, 1]), delta('e', 6, [3, 1]));
    const { sync, refetch } = receiveSnapshot(waiting, seatsOf('e', 5, [0, 1, 0]));
    expect(refetch).toBe(false);
    expect(sync.phase).toBe('live');
    expect([...(sync.seats?.states ?? [])]).toEqual([0, 1, 1]);
    expect(sync.seats?.version.n).toBe(6);
  });

  it('fetches again over a gap, and keeps what lies behind it', () => {
    const waiting = after(startSync(), delta('e', 7, [1, 2]));
    const first = receiveSnapshot(waiting, seatsOf('e', 5, [0, 0]));
    expect(first.refetch).toBe(true);
    expect(first.sync.phase).toBe('loading');
    const second = receiveSnapshot(after(first.sync, delta('e', 8, [2, 1])), seatsOf('e', 6, [0, 0]));
    expect(second.refetch).toBe(false);
    expect([...(second.sync.seats?.states ?? [])]).toEqual([2, 1]);
  });

  it('fetches again when an epoch began behind the snapshot, once', () => {
    const waiting = after(startSync(), delta('new', 1, [1, 1]));
    const first = receiveSnapshot(waiting, seatsOf('old', 5, [0]));
    expect(first.refetch).toBe(true);
    const second = receiveSnapshot(first.sync, seatsOf('new', 3, [2]));
    expect(second.refetch).toBe(false);
    expect([...(second.sync.seats?.states ?? [])]).toEqual([2]);
    // Had the epoch that came up been the older one after all, the second snapshot says so and it is forgotten.
    expect(receiveSnapshot(first.sync, seatsOf('old', 5, [0])).refetch).toBe(false);
  });

  it('drops an epoch that ended before the snapshot', () => {
    const waiting = after(startSync(), delta('old', 9, [1, 1]), delta('new', 1, [1, 2]));
    const { sync, refetch } = receiveSnapshot(waiting, seatsOf('new', 0, [0]));
    expect(refetch).toBe(false);
    expect([...(sync.seats?.states ?? [])]).toEqual([2]);
  });

  it('keeps only so many deltas, and notices that some are gone', () => {
    let sync = startSync();
    for (let n = 1; n <= MAX_BUFFERED_DELTAS + 5; n++) sync = receiveDelta(sync, delta('e', n, [1, 1])).sync;
    expect(sync.buffer).toHaveLength(MAX_BUFFERED_DELTAS);
    expect(receiveSnapshot(sync, seatsOf('e', 0, [0])).refetch).toBe(true);
  });
});

describe('while live', () => {
  it('shows the last picture while a gap is mended', () => {
    const step = receiveDelta(live(seatsOf('e', 1, [2, 0])), delta('e', 3, [2, 1]));
    expect(step.refetch).toBe(true);
    expect(step.sync.phase).toBe('loading');
    expect([...(step.sync.seats?.states ?? [])]).toEqual([2, 0]);
    expect(receiveSnapshot(step.sync, seatsOf('e', 2, [2, 2])).sync.seats?.version.n).toBe(3);
  });

  it('is the same object when nothing changed, so that nothing is drawn', () => {
    const sync = live(seatsOf('e', 1, [0]));
    expect(receiveDelta(sync, delta('e', 1)).sync).toBe(sync);
    expect(receiveDelta(sync, delta('e', 1, [1, 2])).sync).toBe(sync);
  });

  it('buffers from the moment a snapshot is asked for', () => {
    const sync = after(beginRefetch(live(seatsOf('e', 1, [0]))), delta('e', 2, [1, 1]));
    expect(sync.phase).toBe('loading');
    expect(receiveSnapshot(sync, seatsOf('e', 1, [0])).sync.seats?.version.n).toBe(2);
  });
});

/** A server in little: states change, changes are published a while later as one delta, messages get lost. */
class Server {
  epoch = 0;
  n = 0;
  readonly truth: SeatState[];
  private readonly unpublished = new Set<number>();

  constructor(
    private readonly random: () => number,
    size: number,
  ) {
    this.truth = Array.from({ length: size }, () => 0);
  }

  change(): void {
    const i = below(this.random, this.truth.length);
    this.truth[i] = below(this.random, 4) as SeatState;
    this.unpublished.add(i + 1);
  }

  publish(): Delta | undefined {
    if (this.unpublished.size === 0) return undefined;
    const seats = [...this.unpublished].map((seat): [number, SeatState] => [seat, this.truth[seat - 1] ?? 0]);
    this.unpublished.clear();
    this.n++;
    return { version: { epoch: `e${this.epoch}`, n: this.n }, seats };
  }

  /** The holds' store is lost: no hold remains, and nobody is told seat by seat. */
  loseHolds(): void {
    for (const [i, state] of this.truth.entries()) if (state === 1) this.truth[i] = 0;
    this.unpublished.clear();
    this.epoch++;
    this.n = 0;
  }

  heartbeat(): Delta {
    return { version: { epoch: `e${this.epoch}`, n: this.n }, seats: [] };
  }
}

/** Runs a client against the server for a while, then lets things calm down. Answers whether both agree. */
function converges(seed: number, receive: typeof receiveDelta): boolean {
  const random = seeded(seed);
  const server = new Server(random, 1 + below(random, 12));
  let sync = startSync();
  let fetching = true;
  let versionRead: { epoch: string; n: number } | undefined;
  let answer: Seats | undefined;
  const tell = (message: Delta) => {
    const step = receive(sync, message);
    sync = step.sync;
    if (step.refetch) fetching = true;
  };
  // A snapshot is made in steps between which anything may happen: version, then states, then its arrival.
  const fetchOn = () => {
    if (answer) {
      const step = receiveSnapshot(sync, answer);
      sync = step.sync;
      fetching = step.refetch;
      answer = versionRead = undefined;
    } else if (versionRead) {
      answer = seatsOf(versionRead.epoch, versionRead.n, server.truth);
    } else {
      versionRead = { epoch: `e${server.epoch}`, n: server.n };
    }
  };
  for (let step = 0; step < 200; step++) {
    const dice = random();
    if (dice < 0.45) server.change();
    else if (dice < 0.7) {
      const message = server.publish();
      if (message && random() < 0.9) tell(message);
    } else if (dice < 0.73) tell(server.heartbeat());
    else if (dice < 0.74) server.loseHolds();
    else if (fetching) fetchOn();
  }
  const last = server.publish();
  if (last && random() < 0.5) tell(last);
  for (let round = 0; round < 3; round++) {
    tell(server.heartbeat());
    for (let step = 0; step < 9 && fetching; step++) fetchOn();
  }
  return sync.phase === 'live' && [...(sync.seats?.states ?? [])].join() === server.truth.join();
}

describe('a client that sees a snapshot and any deltas after it', () => {
  it('comes to the truth of the server', () => {
    for (let seed = 1; seed <= 3000; seed++) {
      if (!converges(seed, receiveDelta)) throw new Error(`seed ${seed} does not converge`);
    }
  });

  it('would not if gaps were passed over', () => {
    const careless: typeof receiveDelta = (sync, message) => {
      if (sync.phase === 'loading' || !sync.seats) return receiveDelta(sync, message);
      const known = { ...sync.seats, version: { ...message.version, n: message.version.n - 1 } };
      const { outcome, seats } = applyDelta(known, message);
      return { sync: outcome === 'applied' ? { ...sync, seats } : sync, refetch: false };
    };
    const lost = Array.from({ length: 200 }, (_, i) => converges(i + 1, careless)).filter((same) => !same);
    expect(lost.length).toBeGreaterThan(50);
  });
});
