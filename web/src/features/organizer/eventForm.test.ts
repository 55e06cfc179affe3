import { describe, expect, it } from 'vitest';
import type { Event } from '@/api/types';
import {
  changeOf,
  emptyForm,
  eventFormSchema,
  formField,
  formOf,
  inputOf,
  rebase,
  usualWaiting,
} from './eventForm';
import { eventFieldName, eventFieldText } from './eventWords';

const form = { ...emptyForm('Europe/Berlin', new Date('2026-11-22T12:00:00Z')), name: ' Jazz ' };

describe('the event form', () => {
  it('starts as something that the API would take but for the name', () => {
    expect(eventFormSchema().safeParse(form).success).toBe(true);
    expect(eventFormSchema().safeParse({ ...form, name: '  ' }).success).toBe(false);
  });

  it.each([
    ['ends', form.starts],
    ['totalSlots', '0'],
    ['totalSlots', '1.5'],
    ['totalSlots', '-3'],
    ['totalSlots', '1000001'],
    ['maxSeatsPerUser', '0'],
    ['maxSeatsPerUser', 'many'],
    ['waitlistLimit', '-1'],
    ['waitlistLimit', '10000001'],
    ['waitlistLimit', 'none'],
    ['starts', ''],
  ])('refuses %s = "%s" and says so at that field', (field, value) => {
    const result = eventFormSchema().safeParse({ ...form, [field]: value });
    expect(result.error?.issues.map((issue) => issue.path[0])).toContain(field);
  });

  it("sends instants of the event's own zone", () => {
    const input = inputOf({ ...form, starts: '2026-12-01T19:00' }, 'org');
    expect(input.starts_at).toBe('2026-12-01T18:00:00.000Z');
    expect(input.name).toBe('Jazz');
    expect(inputOf({ ...form, maxSeatsPerUser: '' }, 'org').max_seats_per_user).toBeNull();
  });

  it.each([
    ['', null],
    ['0', 0],
    ['25', 25],
  ])('takes a waitlist of “%s” parties for %s', (waitlistLimit, sent) => {
    expect(eventFormSchema().safeParse({ ...form, waitlistLimit }).success).toBe(true);
    expect(inputOf({ ...form, waitlistLimit }, 'org').waitlist_limit).toBe(sent);
    expect(changeOf({ ...form, waitlistLimit }, form)).toEqual({ waitlist_limit: sent });
    expect(formOf({ ...inputOf({ ...form, waitlistLimit }, 'org') } as Event).waitlistLimit).toBe(
      waitlistLimit,
    );
  });

  it.each([
    ['100', '1000'],
    ['1000000', '10000000'],
    ['9999999', '10000000'],
    ['', ''],
    ['many', ''],
  ])('proposes for %s seats a waitlist of %s parties', (seats, parties) => {
    expect(usualWaiting(seats)).toBe(parties);
  });

  it('sends of an edit only what differs', () => {
    expect(changeOf({ ...form, totalSlots: '120' }, form)).toEqual({ total_slots: 120 });
    expect(changeOf(form, form)).toEqual({});
  });

  it('keeps what was typed when somebody else saved another field, and shows both where it was the same', () => {
    const typed = { ...form, venue: 'Hall 2', name: 'Blues', starts: '' };
    const newest = { ...form, name: 'Rock', waitlistLimit: '0' };
    const { form: merged, theirs } = rebase(typed, form, newest);
    expect(merged).toEqual({ ...newest, venue: 'Hall 2', starts: '' });
    expect(theirs).toEqual([
      { field: 'name', value: 'Rock', mine: 'Blues' },
      { field: 'waitlistLimit', value: '0', mine: null },
    ]);
    expect(changeOf({ ...merged, starts: form.starts }, newest)).toEqual({ venue: 'Hall 2' });
  });

  it('tells every field as people read it', () => {
    const told = (Object.keys(form) as (keyof typeof form)[]).map((field) => [
      eventFieldName(field),
      eventFieldText(field, form[field]),
    ]);
    expect(told).toEqual([
      ['Name', ' Jazz '],
      ['Category', 'Concert'],
      ['Description', 'emptied'],
      ['Venue', 'emptied'],
      ['Starts', expect.stringMatching(/29.*:00/)],
      ['Ends', expect.stringMatching(/29.*:00/)],
      ['Time zone', 'Europe/Berlin'],
      ['Seats', '100'],
      ['Most seats per person', '10'],
      ['Who can see and book it', 'Everybody'],
      ['When it is sold out', 'Strict order'],
      ['Longest waitlist', '1000'],
    ]);
    expect(eventFieldText('starts', '')).toBe('emptied');
    expect(eventFieldText('waitlistLimit', '0')).toBe('no waitlist');
  });

  it('knows where to show what the server says', () => {
    expect(formField('starts_at')).toBe('starts');
    expect(formField('org_id')).toBeNull();
  });
});
