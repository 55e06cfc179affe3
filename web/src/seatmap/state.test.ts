import { describe, expect, it } from 'vitest';
import { below, seeded } from './seeded.testkit';
import {
  applyDelta,
  availableSeats,
  type Delta,
  decodeStates,
  formatVersion,
  parseVersion,
  readDelta,
  readSnapshot,
  SeatDataError,
  stateOf,
  withoutHolds,
} from './state';

const { seats } = readSnapshot({ version: 'e1:7', total_slots: 5, states: 'kAA=' });

function delta(version: string, changes: Delta['seats'] = []): Delta {
  const parsed = parseVersion(version);
  if (!parsed) throw new Error(`no version: ${version}`);
  return { version: parsed, seats: changes };
}

describe('parseVersion', () => {
  it.each([
    ['a:0', { epoch: 'a', n: 0 }],
    ['01890a5d-ac96:12', { epoch: '01890a5d-ac96', n: 12 }],
    ['a:b:3', { epoch: 'a:b', n: 3 }],
  ])('reads %s', (text, version) => {
    expect(parseVersion(text)).toEqual(version);
    expect(formatVersion(version)).toBe(text);
  });

  it.each(['', ':', '5', 'e', 'e:', ':5', 'e:-1', 'e:1.5', 'e:x', 'e:9007199254740993', 'e:1 '])(
    'refuses %j',
    (text) => {
      expect(parseVersion(text)).toBeUndefined();
    },
  );
});

describe('decodeStates', () => {
  it.each([
    ['', 0, []],
    ['AA==', 3, [0, 0, 0]],
    // 0b11_10_01_00: seat 1 in the lowest bits.
    ['5A==', 4, [0, 1, 2, 3]],
    ['5AE=', 5, [0, 1, 2, 3, 1]],
  ])('unpacks %j for %i seats', (text, count, states) => {
    expect([...decodeStates(text, count)]).toEqual(states);
  });

  it.each([
    ['5A==', 5],
    ['5AE=', 4],
    ['', 1],
    ['€', 1],
    ['A', 1],
    ['5A==', -1],
    ['5A==', 2.5],
    ['5A==', Number.NaN],
  ])('refuses %j for %d seats', (text, count) => {
    expect(() => decodeStates(text, count)).toThrow(SeatDataError);
  });

  it('answers states or a SeatDataError for whatever it is given', () => {
    const random = seeded(1);
    for (let i = 0; i < 5000; i++) {
      const text = String.fromCharCode(
        ...Array.from({ length: below(random, 12) }, () => 32 + below(random, 100)),
      );
      const count = below(random, 40);
      try {
        expect(decodeStates(text, count)).toHaveLength(count);
      } catch (error) {
        expect(error).toBeInstanceOf(SeatDataError);
      }
    }
  });

  it('is the inverse of packing', () => {
    const random = seeded(2);
    const states = Array.from({ length: 20_001 }, () => below(random, 4));
    const bytes = new Uint8Array(Math.ceil(states.length / 4));
    for (const [i, state] of states.entries())
      bytes[i >> 2] = (bytes[i >> 2] ?? 0) | (state << ((i % 4) * 2));
    expect([...decodeStates(Buffer.from(bytes).toString('base64'), states.length)]).toEqual(states);
  });
});

describe('readSnapshot', () => {
  it('counts states; a held seat is available', () => {
    const { seats: snapshot } = readSnapshot({ version: 'e:1', total_slots: 5, states: '5AE=' });
    expect(snapshot.counts).toEqual([1, 2, 1, 1]);
    expect(availableSeats(snapshot)).toBe(3);
    expect(stateOf(snapshot, 3)).toBe(2);
    expect(stateOf(snapshot, 6)).toBeUndefined();
  });

  it('is live unless told otherwise, as by a server of before holds could be away', () => {
    const body = { version: 'away:1', total_slots: 1, states: 'AA==' };
    expect(readSnapshot(body).live).toBe(true);
    expect(readSnapshot({ ...body, live: true }).live).toBe(true);
    expect(readSnapshot({ ...body, live: false }).live).toBe(false);
  });

  it('refuses a snapshot without a version', () => {
    expect(() => readSnapshot({ version: 'x', total_slots: 0, states: '' })).toThrow(SeatDataError);
  });
});

describe('withoutHolds', () => {
  it('shows what is held as free, and counts anew', () => {
    const { seats: some } = readSnapshot({ version: 'e:1', total_slots: 5, states: '5AE=' });
    const none = withoutHolds(some);
    expect([...none.states]).toEqual([0, 0, 2, 3, 0]);
    expect(none.counts).toEqual([3, 0, 1, 1]);
    expect(withoutHolds(none)).toBe(none);
  });
});

describe('readDelta', () => {
  it('reads a delta', () => {
    expect(readDelta({ version: 'e:8', seats: [[3, 2]], more: 1 })).toEqual(delta('e:8', [[3, 2]]));
    expect(readDelta({ version: 'e:8', seats: [] })).toEqual(delta('e:8'));
  });

  it.each([
    null,
    undefined,
    3,
    'e:1',
    {},
    [],
    { version: 'e:1' },
    { version: 1, seats: [] },
    { version: 'e', seats: [] },
    { version: 'e:1', seats: {} },
    { version: 'e:1', seats: [1] },
    { version: 'e:1', seats: [[1]] },
    { version: 'e:1', seats: [[0, 1]] },
    { version: 'e:1', seats: [[1.5, 1]] },
    { version: 'e:1', seats: [['1', 1]] },
    { version: 'e:1', seats: [[1, 4]] },
    { version: 'e:1', seats: [[1, null]] },
    { version: 'e:1', seats: [[1, 2, 3]] },
    { viewers: 12 },
  ])('sees none in %j', (message) => {
    expect(readDelta(message)).toBeUndefined();
  });
});

describe('applyDelta', () => {
  it.each([
    ['the next one', delta('e1:8', [[1, 1]]), 'applied'],
    ['a repetition of ours', delta('e1:7', [[1, 1]]), 'stale'],
    ['an older one', delta('e1:3', [[1, 1]]), 'stale'],
    ['an older heartbeat', delta('e1:6'), 'stale'],
    ['a heartbeat of ours', delta('e1:7'), 'current'],
    ['a heartbeat one ahead', delta('e1:8'), 'gap'],
    ['a heartbeat far ahead', delta('e1:90'), 'gap'],
    ['one after a missing one', delta('e1:9', [[1, 1]]), 'gap'],
    ['another epoch, next number', delta('e2:8', [[1, 1]]), 'gap'],
    ['another epoch, lower number', delta('e2:1', [[1, 1]]), 'gap'],
    ['another epoch, heartbeat', delta('e2:7'), 'gap'],
    [
      'a seat that we do not know',
      delta('e1:8', [
        [1, 1],
        [6, 0],
      ]),
      'gap',
    ],
  ] as const)('%s: %s', (_, change, outcome) => {
    const before = [...seats.states];
    const step = applyDelta(seats, change);
    expect(step.outcome).toBe(outcome);
    expect([...seats.states]).toEqual(before);
    if (outcome !== 'applied') expect(step.seats).toBe(seats);
  });

  it('sets absolute states and keeps the counts', () => {
    // The last word on a seat that is named twice counts.
    const { seats: after } = applyDelta(
      seats,
      delta('e1:8', [
        [1, 2],
        [2, 1],
        [2, 3],
      ]),
    );
    expect([...after.states]).toEqual([2, 3, 1, 2, 0]);
    expect(after.counts).toEqual([1, 1, 2, 1]);
    expect(formatVersion(after.version)).toBe('e1:8');
  });
});
