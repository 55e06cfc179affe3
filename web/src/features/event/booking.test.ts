import { describe, expect, it } from 'vitest';
import { offerFor, wouldWait } from './booking';

const event = {
  status: 'upcoming',
  available_slots: 5,
  waiting_parties: 0,
  waitlist_policy: 'strict',
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
  ] as const)('when %s', (_, e, mine, want) => expect(offerFor(e, mine)).toEqual(want));
});

it('knows that a party larger than what is left waits', () => {
  const few = { ...event, available_slots: 2 };
  const offer = offerFor(few, []);
  expect(wouldWait(few, offer, 2)).toBe(false);
  expect(wouldWait(few, offer, 3)).toBe(true);
});
