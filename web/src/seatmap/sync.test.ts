import { describe, expect, it } from 'vitest';
import { below, seeded } from './seeded.testkit';
import { applyDelta, type Delta, type SeatState, type Snapshot } from './state';
import {
  beginRefetch,
  isLive,
  MAX_BUFFERED_DELTAS,
  receiveDelta,
  receiveLive,
  receiveSnapshot,
  type SeatSync,
  startSync,
} from './sync';

function snapshotOf(epoch: string, n: number, states: readonly number[]): Snapshot {
  const counts: [number, number, number, number] = [0, 0, 0, 0];
  for (const state of states) counts[state as SeatState]++;
  return { seats: { version: { epoch, n }, states: Uint8Array.from(states), counts }, live: true };
}

/** What is answered while the store of holds is away. */
function awayOf(n: number, states: readonly number[]): Snapshot {
  return { ...snapshotOf('away', n, states), live: false };
}

function delta(epoch: string, n: number, ...seats: [number, SeatState][]): Delta {
  return { version: { epoch, n }, seats };
}

function live(snapshot: Snapshot): SeatSync {
  return receiveSnapshot(startSync(), snapshot).sync;
}

function after(sync: SeatSync, ...deltas: Delta[]): SeatSync {
  return deltas.reduce((now, next) => receiveDelta(now, next).sync, sync);
}

describe('while loading', () => {
  it('replays what came meanwhile, dropping what the snapshot knows', () => {
    const waiting = after(startSync(), delta('e', 4, [1, 2]), delta('e', 5, [2, 1]), delta('e', 6, [3, 1]));
    const { sync, refetch } = receiveSnapshot(waiting, snapshotOf('e', 5, [0, 1, 0]));
    expect(refetch).toBe(false);
    expect(sync.phase).toBe('live');
    expect([...(sync.seats?.states ?? [])]).toEqual([0, 1, 1]);
    expect(sync.seats?.version.n).toBe(6);
  });

  it('fetches again over a gap, and keeps what lies behind it', () => {
    const waiting = after(startSync(), delta('e', 7, [1, 2]));
    const first = receiveSnapshot(waiting, snapshotOf('e', 5, [0, 0]));
    expect(first.refetch).toBe(true);
    expect(first.sync.phase).toBe('loading');
    const second = receiveSnapshot(after(first.sync, delta('e', 8, [2, 1])), snapshotOf('e', 6, [0, 0]));
    expect(second.refetch).toBe(false);
    expect([...(second.sync.seats?.states ?? [])]).toEqual([2, 1]);
  });

  it('fetches again when an epoch began behind the snapshot, once', () => {
    const waiting = after(startSync(), delta('new', 1, [1, 1]));
    const first = receiveSnapshot(waiting, snapshotOf('old', 5, [0]));
    expect(first.refetch).toBe(true);
    const second = receiveSnapshot(first.sync, snapshotOf('new', 3, [2]));
    expect(second.refetch).toBe(false);
    expect([...(second.sync.seats?.states ?? [])]).toEqual([2]);
    // Had the epoch that came up been the older one after all, the second snapshot says so and it is forgotten.
    expect(receiveSnapshot(first.sync, snapshotOf('old', 5, [0])).refetch).toBe(false);
  });

  it('drops an epoch that ended before the snapshot', () => {
    const waiting = after(startSync(), delta('old', 9, [1, 1]), delta('new', 1, [1, 2]));
    const { sync, refetch } = receiveSnapshot(waiting, snapshotOf('new', 0, [0]));
    expect(refetch).toBe(false);
    expect([...(sync.seats?.states ?? [])]).toEqual([2]);
  });

  it('keeps only so many deltas, and notices that some are gone', () => {
    let sync = startSync();
    for (let n = 1; n <= MAX_BUFFERED_DELTAS + 5; n++) sync = receiveDelta(sync, delta('e', n, [1, 1])).sync;
    expect(sync.buffer).toHaveLength(MAX_BUFFERED_DELTAS);
    expect(receiveSnapshot(sync, snapshotOf('e', 0, [0])).refetch).toBe(true);
  });
});

describe('while live', () => {
  it('shows the last picture while a gap is mended', () => {
    const step = receiveDelta(live(snapshotOf('e', 1, [2, 0])), delta('e', 3, [2, 1]));
    expect(step.refetch).toBe(true);
    expect(step.sync.phase).toBe('loading');
    expect([...(step.sync.seats?.states ?? [])]).toEqual([2, 0]);
    expect(receiveSnapshot(step.sync, snapshotOf('e', 2, [2, 2])).sync.seats?.version.n).toBe(3);
  });

  it('is the same object when nothing changed, so that nothing is drawn', () => {
    const sync = live(snapshotOf('e', 1, [0]));
    expect(receiveDelta(sync, delta('e', 1)).sync).toBe(sync);
    expect(receiveDelta(sync, delta('e', 1, [1, 2])).sync).toBe(sync);
  });

  it('buffers from the moment a snapshot is asked for', () => {
    const sync = after(beginRefetch(live(snapshotOf('e', 1, [0]))), delta('e', 2, [1, 1]));
    expect(sync.phase).toBe('loading');
    expect(receiveSnapshot(sync, snapshotOf('e', 1, [0])).sync.seats?.version.n).toBe(2);
  });
});

function statesOf(sync: SeatSync): number[] {
  return [...(sync.seats?.states ?? [])];
}

describe('while the store of holds is away', () => {
  it('pauses by what a snapshot says, and shows it', () => {
    const { sync, refetch } = receiveSnapshot(live(snapshotOf('e', 3, [1, 2])), awayOf(1, [0, 2]));
    expect(refetch).toBe(false);
    expect(isLive(sync)).toBe(false);
    expect(statesOf(sync)).toEqual([0, 2]);
  });

  it("pauses by the channel's word at once, and asks", () => {
    const step = receiveLive(live(snapshotOf('e', 3, [1, 2, 3])), false);
    expect(step.refetch).toBe(true);
    expect(isLive(step.sync)).toBe(false);
    expect(statesOf(step.sync)).toEqual([1, 2, 3]);
    expect(receiveLive(step.sync, false)).toEqual({ sync: step.sync, refetch: false });
  });

  it('draws nothing for a poll that brought nothing new', () => {
    const first = receiveSnapshot(startSync(), awayOf(1, [0, 2])).sync;
    const second = receiveSnapshot(beginRefetch(first), awayOf(2, [0, 2])).sync;
    expect(second.seats).toBe(first.seats);
    expect(receiveSnapshot(beginRefetch(second), awayOf(3, [2, 2])).sync.seats).not.toBe(first.seats);
  });

  it('goes on with the snapshot that is live again, and what came before and behind it', () => {
    let sync = receiveSnapshot(startSync(), awayOf(1, [0, 2, 0])).sync;
    sync = after(sync, delta('new', 1, [1, 1]), delta('new', 2, [3, 1]));
    const step = receiveSnapshot(beginRefetch(sync), snapshotOf('new', 1, [1, 2, 0]));
    expect(step.refetch).toBe(false);
    expect(isLive(step.sync)).toBe(true);
    expect(statesOf(step.sync)).toEqual([1, 2, 1]);
  });

  it('keeps no more deltas than came since the last poll', () => {
    let sync = beginRefetch(receiveSnapshot(startSync(), awayOf(1, [0])).sync);
    for (let n = 1; n <= 5; n++) sync = receiveDelta(sync, delta('e', n, [1, 1])).sync;
    sync = beginRefetch(sync);
    sync = after(sync, delta('e', 6, [1, 0]));
    expect(receiveSnapshot(sync, awayOf(2, [0])).sync.buffer).toHaveLength(1);
  });

  it('stays paused when only one of the two speaks of being live', () => {
    const told = receiveLive(live(snapshotOf('e', 3, [0])), false).sync;
    const answered = receiveSnapshot(told, snapshotOf('e', 3, [0])).sync;
    expect(isLive(answered)).toBe(false);
    const away = receiveSnapshot(live(snapshotOf('e', 3, [0])), awayOf(1, [0])).sync;
    const step = receiveLive(away, true);
    expect(step.refetch).toBe(true);
    expect(isLive(step.sync)).toBe(false);
  });

  it('believes a channel over which deltas come, whatever it said', () => {
    const told = receiveLive(live(snapshotOf('e', 3, [0])), false).sync;
    const answered = receiveSnapshot(told, snapshotOf('e', 3, [0])).sync;
    expect(isLive(receiveDelta(answered, delta('e', 3)).sync)).toBe(true);
    const early = receiveDelta(told, delta('e', 4, [1, 1])).sync;
    expect(isLive(receiveSnapshot(early, snapshotOf('e', 3, [0])).sync)).toBe(true);
  });
});

/** A server in little: states change, changes are published a while later as one delta, messages get lost. */
class Server {
  epoch = 0;
  n = 0;
  readonly truth: SeatState[];
  private readonly unpublished = new Set<number>();
  /** The store of holds is away: nobody holds, nothing is published. */
  away = false;

  constructor(
    private readonly random: () => number,
    size: number,
  ) {
    this.truth = Array.from({ length: size }, () => 0);
  }

  change(): void {
    const i = below(this.random, this.truth.length);
    const state = below(this.random, 4) as SeatState;
    this.truth[i] = this.away && state === 1 ? 2 : state;
    this.unpublished.add(i + 1);
  }

  publish(): Delta | undefined {
    if (this.away || this.unpublished.size === 0) return undefined;
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

  heartbeat(): Delta | undefined {
    if (this.away) return undefined;
    return { version: { epoch: `e${this.epoch}`, n: this.n }, seats: [] };
  }
}

/** How a client takes what it is told. */
interface Client {
  receive: typeof receiveDelta;
  load: typeof receiveSnapshot;
  /** Asks again by itself while the map isn't live. */
  polls: boolean;
}

const SOUND: Client = { receive: receiveDelta, load: receiveSnapshot, polls: true };

/** Runs a client against the server for a while, then lets things calm down. Answers whether both agree. */
function converges(seed: number, client: Client, staysAway = false): boolean {
  const random = seeded(seed);
  const server = new Server(random, 1 + below(random, 12));
  let sync = startSync();
  let fetching = true;
  let versionRead: { epoch: string; n: number } | null | undefined;
  let answer: Snapshot | undefined;
  const take = (step: { sync: SeatSync; refetch: boolean }) => {
    sync = step.sync;
    if (step.refetch) fetching = true;
  };
  const tell = (message: Delta | undefined) => {
    if (message) take(client.receive(sync, message));
  };
  // A snapshot is made in steps between which anything may happen: version, then states, then its arrival.
  const fetchOn = () => {
    if (answer) {
      const step = client.load(sync, answer);
      sync = step.sync;
      fetching = step.refetch;
      answer = versionRead = undefined;
    } else if (versionRead !== undefined) {
      answer =
        versionRead && !server.away
          ? snapshotOf(versionRead.epoch, versionRead.n, server.truth)
          : awayOf(0, withoutHolds(server.truth));
    } else {
      sync = beginRefetch(sync);
      versionRead = server.away ? null : { epoch: `e${server.epoch}`, n: server.n };
    }
  };
  const turn = (away: boolean, heard: boolean) => {
    if (server.away === away) return;
    server.away = away;
    server.loseHolds();
    if (heard) take(receiveLive(sync, !away));
  };
  for (let step = 0; step < 200; step++) {
    const dice = random();
    if (client.polls && !isLive(sync) && random() < 0.1) fetching = true;
    if (dice < 0.45) server.change();
    else if (dice < 0.7) {
      const message = server.publish();
      if (random() < 0.9) tell(message);
    } else if (dice < 0.73) tell(server.heartbeat());
    else if (dice < 0.74) server.loseHolds();
    else if (dice < 0.76) turn(!server.away, random() < 0.7);
    else if (fetching) fetchOn();
  }
  turn(staysAway, random() < 0.5);
  // Whoever was not told that the store went away learns it from the next hold that is refused, and asks anew.
  if (staysAway) {
    answer = versionRead = undefined;
    fetching = true;
  }
  const last = server.publish();
  if (random() < 0.5) tell(last);
  for (let round = 0; round < 3; round++) {
    tell(server.heartbeat());
    if (client.polls && !isLive(sync)) fetching = true;
    for (let step = 0; step < 9 && fetching; step++) fetchOn();
  }
  const same = statesOf(sync).join() === server.truth.join();
  return same && isLive(sync) !== staysAway && (staysAway || sync.phase === 'live');
}

function withoutHolds(states: readonly SeatState[]): SeatState[] {
  return states.map((state) => (state === 1 ? 0 : state));
}

/** How many of 200 seeds such a client gets wrong. */
function wrong(client: Client): number {
  return Array.from({ length: 200 }, (_, i) => converges(i + 1, client)).filter((same) => !same).length;
}

describe('a client that sees a snapshot and any deltas after it', () => {
  it('comes to the truth of the server, and knows whether it is live', () => {
    for (let seed = 1; seed <= 3000; seed++) {
      if (!converges(seed, SOUND)) throw new Error(`seed ${seed} does not converge`);
    }
  });

  it('comes to what is sold while the store of holds stays away', () => {
    for (let seed = 1; seed <= 1000; seed++) {
      if (!converges(seed, SOUND, true)) throw new Error(`seed ${seed} does not converge`);
    }
  });

  it('would not if gaps were passed over', () => {
    const careless: typeof receiveDelta = (sync, message) => {
      if (sync.phase === 'loading' || !sync.seats) return receiveDelta(sync, message);
      const known = { ...sync.seats, version: { ...message.version, n: message.version.n - 1 } };
      const { outcome, seats } = applyDelta(known, message);
      return { sync: outcome === 'applied' ? { ...sync, seats } : sync, refetch: false };
    };
    expect(wrong({ ...SOUND, receive: careless })).toBeGreaterThan(20);
  });

  it('would stay paused if only the word of the channel ended a pause', () => {
    const unmoved = (before: SeatSync, { sync, refetch }: { sync: SeatSync; refetch: boolean }) => ({
      sync: { ...sync, channelLive: before.channelLive },
      refetch,
    });
    const stubborn: Client = {
      receive: (sync, message) => unmoved(sync, receiveDelta(sync, message)),
      load: (sync, snapshot) => unmoved(sync, receiveSnapshot(sync, snapshot)),
      polls: true,
    };
    expect(wrong(stubborn)).toBeGreaterThan(0);
  });

  it('would stay paused without asking again', () => {
    expect(wrong({ ...SOUND, polls: false })).toBeGreaterThan(0);
  });
});
