import { describe, expect, it } from 'vitest';
import type { AuditEntry } from '@/api/types';
import { House } from '@/seatmap/house';
import {
  actionGroups,
  actorName,
  bookingOf,
  differencesOf,
  namesSeats,
  piecesOf,
  sentenceOf,
  untoldOf,
} from './auditWords';

function entry(over: Partial<AuditEntry>): AuditEntry {
  return {
    id: 'one',
    at: '2026-11-22T11:00:00Z',
    action: 'org.created',
    actor: { id: 'ann', name: 'Ann' },
    subject_id: 'org',
    subject: null,
    before: null,
    after: null,
    ...over,
  } as AuditEntry;
}

const told = (over: Partial<AuditEntry>) =>
  piecesOf(sentenceOf(entry(over)))
    .map((piece) => (piece.named ? `[${piece.text}]` : piece.text))
    .join('');

const bob = { kind: 'member', label: 'Bob' } as const;
const jazz = { kind: 'event', label: 'Jazz night' } as const;

describe('the record', () => {
  it.each<[string, Partial<AuditEntry>]>([
    ['[Ann] founded the organization', {}],
    [
      '[Ann] changed the role of [Bob] from Member to Organizer',
      {
        action: 'member.role_changed',
        subject_id: 'bob',
        subject: bob,
        before: { role: 'user' },
        after: { role: 'organizer' },
      },
    ],
    [
      '[Ann] changed their own role from Administrator to Member',
      {
        action: 'member.role_changed',
        subject_id: 'ann',
        subject: { kind: 'member', label: 'Ann' },
        before: { role: 'orgAdmin' },
        after: { role: 'user' },
      },
    ],
    ['[Ann] joined as Member', { action: 'member.joined', after: { role: 'user' } }],
    [
      '[Ann] accepted an invitation and went from Member to Organizer',
      { action: 'member.joined', before: { role: 'user' }, after: { role: 'organizer', invite_id: 'x' } },
    ],
    [
      '[Ann] removed somebody who is gone, who was Member',
      { action: 'member.removed', before: { role: 'user' } },
    ],
    [
      '[Ann] invited [bob@x.org] as Organizer',
      {
        action: 'invite.created',
        subject: { kind: 'invite', label: 'bob@x.org' },
        after: { role: 'organizer' },
      },
    ],
    ['[The operator] suspended the organization', { action: 'org.suspended', actor: null }],
    ['[Happening] withdrew the invitation to somebody', { action: 'invite.revoked', actor: null }],
    [
      '[Ann] changed the event [Jazz night]: seats, start',
      {
        action: 'event.updated',
        subject: jazz,
        before: { total_slots: 20, starts_at: '2026-12-01T18:00:00Z', revision: 1 },
        after: { total_slots: 30, starts_at: '2026-12-02T18:00:00Z', revision: 2 },
      },
    ],
    [
      '[Ann] changed the settings: colour, text about it, logo',
      {
        action: 'org.updated',
        before: { color: '', logo: 'a' },
        after: { color: '#112233', logo: 'b', changed: ['about'] },
      },
    ],
    [
      "[Ann] cancelled somebody's booking at [Jazz night]",
      {
        action: 'event.booking_cancelled',
        subject: jazz,
        before: { booking_id: 'b', status: 'confirmed', seats: 2, seat_numbers: [4, 5] },
        after: { booking_id: 'b', status: 'cancelled', seats: 2 },
      },
    ],
    [
      "[Ann] moved somebody's booking at [Jazz night] to other seats",
      {
        action: 'event.booking_moved',
        subject: jazz,
        before: { booking_id: 'b', seat_numbers: [1, 2] },
        after: { booking_id: 'b', seat_numbers: [2, 3] },
      },
    ],
    [
      '[Ann] gave seats to somebody on the waitlist of [Jazz night], out of turn',
      { action: 'event.booking_promoted', subject: jazz },
    ],
    [
      'Somebody deleted their account; the role was Member',
      {
        action: 'member.erased',
        actor: { id: 'x', name: 'Deleted account' },
        subject_id: 'x',
        before: { role: 'user' },
      },
    ],
    ['[Ann]: org.something_new', { action: 'org.something_new' as never }],
  ])('says “%s”', (sentence, over) => {
    expect(told(over)).toBe(sentence);
  });

  it('has a sentence for everything that one can look for', () => {
    for (const { actions } of actionGroups()) {
      for (const { value } of actions) expect(told({ action: value as never })).not.toContain(value);
    }
  });

  it('lets no name break out of its place', () => {
    const pieces = piecesOf(sentenceOf(entry({ actor: { id: 'x', name: 'A\u2069 evil \u2068B' } })));
    expect(pieces.map((piece) => [piece.text, piece.named])).toEqual([
      ['A evil B', true],
      [' founded the organization', false],
    ]);
    expect(actorName(entry({ actor: { id: 'x', name: '' } }))).toBe('Somebody');
  });

  it('shows before and after in words, without what tells nobody anything', () => {
    const differences = differencesOf(
      entry({
        before: { visibility: 'public', total_slots: 1000, waitlist_policy: 'strict', revision: 3 },
        after: { visibility: 'members', total_slots: 1000, admin_id: 'x', suspended: true, color: '' },
      }),
    );
    expect(differences.map(({ label, before, after }) => [label, before, after])).toEqual([
      ['Who can see it', 'Everybody', 'Members only'],
      ['Waitlist order', 'Strict order', null],
      ['Suspended', null, 'yes'],
      ['Colour', null, 'none'],
    ]);
    const limits = entry({
      before: { waitlist_limit: null, max_seats_per_user: 10 },
      after: { waitlist_limit: 0 },
    });
    expect(differencesOf(limits).map(({ label, before, after }) => [label, before, after])).toEqual([
      ['Longest waitlist', 'no limit', 'no waitlist'],
      ['Most seats per person', '10', 'no limit'],
    ]);
    const ofBooking = entry({
      before: { booking_id: 'b', status: 'confirmed', seats: 2, seat_numbers: [4, 1005] },
      after: { booking_id: 'b', status: 'cancelled', seats: 2 },
    });
    expect(bookingOf(ofBooking)).toBe('b');
    expect(differencesOf(ofBooking).map(({ label, before, after }) => [label, before, after])).toEqual([
      ['Booking', 'Confirmed', 'Cancelled'],
      ['Seat numbers', 'No. 4, 1005', null],
    ]);
    expect(untoldOf(entry({ after: { changed: ['about', 7, 'contact_email'] } }))).toEqual([
      'Text about it',
      'Contact address',
    ]);
  });
});

describe('the house in the record', () => {
  const blocks = (blocked: string, unblocked: string) =>
    ({ action: 'event.blocks_changed', subject: jazz, before: {}, after: { blocked, unblocked } }) as const;

  it.each<[string, Partial<AuditEntry>]>([
    ['[Ann] laid out the seats of [Jazz night] anew', { action: 'event.layout_changed', subject: jazz }],
    ['[Ann] took seats of [Jazz night] off sale', blocks('1-3', '')],
    ['[Ann] put seats of [Jazz night] on sale again', blocks('', '4')],
    ['[Ann] changed which seats of [Jazz night] are off sale', blocks('1', '4')],
  ])('says "%s"', (sentence, over) => expect(told(over)).toBe(sentence));

  it('knows which entries name seats', () => {
    expect(namesSeats(entry(blocks('1-3', '')))).toBe(true);
    expect(namesSeats(entry({ before: { seat_numbers: [1] } }))).toBe(true);
    expect(namesSeats(entry({ after: { total_slots: 3 } }))).toBe(false);
  });

  it('names the seats as the house does, or counts them through', () => {
    const house = new House([
      { name: 'Stalls', rows: [{ label: 'A', seats: 2 }] },
      { name: 'Box', rows: [{ label: '1', seats: 4 }] },
    ]);
    const both = entry(blocks('1-3', '6'));
    expect(differencesOf(both, house).map(({ label, after }) => [label, after])).toEqual([
      ['Seats taken off sale', 'Stalls · Row A: 1–2 · Box · Row 1: 1'],
      ['Seats put on sale again', 'Box · Row 1: 4'],
    ]);
    expect(differencesOf(entry(blocks('1-3', ''))).map(({ label, after }) => [label, after])).toEqual([
      ['Seats taken off sale', 'No. 1–3'],
    ]);
  });
});
