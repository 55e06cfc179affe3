import { describe, expect, it } from 'vitest';
import { grouped, wordingOf } from './wording';

const types = (...names: string[]) => names.map((type) => ({ type, app: true, email: true }));

describe('the types of notifications', () => {
  it('are grouped by what they are about, in an order of their own', () => {
    const groups = grouped(types('org_invited', 'event_updated', 'booking_cancelled', 'booking_confirmed'));
    expect(groups.map(({ title, items }) => [title, ...items.map(({ type }) => type)])).toEqual([
      ['Your bookings', 'booking_confirmed', 'booking_cancelled'],
      ['Events that you booked', 'event_updated'],
      ['Organizations', 'org_invited'],
    ]);
  });

  it('that are newer than the page are still there, with a readable name', () => {
    const [group] = grouped(types('seat_upgraded'));
    expect(group?.items.map(({ type }) => type)).toEqual(['seat_upgraded']);
    expect(wordingOf('seat_upgraded').name).toBe('Seat upgraded');
  });
});
