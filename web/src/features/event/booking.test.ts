import { describe, expect, it } from 'vitest';
import { offerFor, wouldWait } from './booking';

const event = {
  status: 'upcoming',
  available_slots: 5,
  waiting_parties: 0,
  waitlist_policy: 'strict',
  waitlist_limit: 3,
  max_seats_per_user: 4,
  total_slots: 20,
} as const;

describe('offerFor', () => {
  it.each([
    ['seats are free', event, [], { kind: 'book', most: 4 }],
    ['there is no limit', { ...event, max_seats_per_user: null }, [], { kind: 'book', most: 20 }],
    ['one has some already', event, [{ status: 'confirmed', seats: 3 }], { kind: 'book', most: 1 }],
    ['cancelled ones do not count', event, [{ status: 'cancelled', seats: 4 }], { kind: 'book', most: 4 }],
    [
      'one has and waits for all one may',
      event,
      [{ status: 'waiting', seats: 4 }],
      { kind: 'limit', most: 4 },
    ],
    ['nothing is left', { ...event, available_slots: 0 }, [], { kind: 'wait', most: 4, why: 'sold_out' }],
    ['others wait', { ...event, waiting_parties: 1 }, [], { kind: 'wait', most: 4, why: 'line' }],
    [
      'others wait, but whoever fits may pass',
      { ...event, waiting_parties: 1, waitlist_policy: 'fit' },
      [],
      { kind: 'book', most: 4 },
    ],
    ['it is on', { ...event, status: 'ongoing' }, [], { kind: 'closed', why: 'ongoing' }],
    [
      'as many wait as may',
      { ...event, available_slots: 0, waiting_parties: 3 },
      [],
      { kind: 'full', none: false },
    ],
    [
      'as many wait as may, but whoever fits may pass',
      { ...event, waiting_parties: 3, waitlist_policy: 'fit' },
      [],
      { kind: 'book', most: 4 },
    ],
    [
      'little is left and nobody may wait',
      { ...event, available_slots: 2, waitlist_limit: 0 },
      [],
      { kind: 'book', most: 2 },
    ],
    [
      'nothing is left and nobody may wait',
      { ...event, available_slots: 0, waitlist_limit: 0 },
      [],
      { kind: 'full', none: true },
    ],
    [
      'nothing is left and all may wait',
      { ...event, available_slots: 0, waiting_parties: 3, waitlist_limit: null },
      [],
      { kind: 'wait', most: 4, why: 'sold_out' },
    ],
  ] as const)('when %s', (_, e, mine, want) => expect(offerFor(e, mine, false)).toEqual(want));

  it('is nothing while the organization is suspended, unless it ended anyway', () => {
    expect(offerFor(event, [], true)).toEqual({ kind: 'closed', why: 'suspended' });
    expect(offerFor({ ...event, status: 'cancelled' }, [], true)).toEqual({
      kind: 'closed',
      why: 'cancelled',
    });
  });
});

it('knows that a party larger than what is left waits', () => {
  const few = { ...event, available_slots: 2 };
  const offer = offerFor(few, [], false);
  expect(wouldWait(few, offer, 2)).toBe(false);
  expect(wouldWait(few, offer, 3)).toBe(true);
});
