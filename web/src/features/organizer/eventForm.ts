// Between what the form edits (texts and the zone's wall clock) and what the
// API takes.
import { t } from '@lingui/core/macro';
import * as z from 'zod/mini';
import type { Event, EventChange, EventInput } from '@/api/types';
import { fromWallClock, toWallClock } from '@/lib/zoned';
import { type Rebased, rebased } from './rebase';

export const MAX_NAME = 200;
export const MAX_VENUE = 300;
export const MAX_DESCRIPTION = 20_000;
export const MAX_SEATS = 1_000_000;
/** So many parties may wait for each seat unless one says otherwise. */
export const WAITING_PER_SEAT = 10;
export const MAX_WAITING = WAITING_PER_SEAT * MAX_SEATS;

export interface EventForm {
  name: string;
  category: string;
  description: string;
  venue: string;
  starts: string;
  ends: string;
  timeZone: string;
  totalSlots: string;
  /** Empty: no limit. */
  maxSeatsPerUser: string;
  visibility: 'public' | 'members';
  waitlistPolicy: 'strict' | 'fit';
  /** In parties. Empty: no limit; 0: no waitlist. */
  waitlistLimit: string;
}

/** Checks what can be known without the server; the server has the last word. */
export function eventFormSchema() {
  const whole = (text: string, max: number, min = 1) =>
    /^\d+$/.test(text) && Number(text) >= min && Number(text) <= max;
  return z
    .object({
      name: z.string().check(
        z.refine((v) => v.trim() !== '', t`Give the event a name.`),
        z.maxLength(MAX_NAME, t`At most 200 characters.`),
      ),
      category: z.string(),
      description: z.string().check(z.maxLength(MAX_DESCRIPTION, t`At most 20,000 characters.`)),
      venue: z.string().check(z.maxLength(MAX_VENUE, t`At most 300 characters.`)),
      starts: z.string().check(z.minLength(1, t`When does it start?`)),
      ends: z.string().check(z.minLength(1, t`When does it end?`)),
      timeZone: z.string().check(z.minLength(1, t`Choose a time zone.`)),
      totalSlots: z
        .string()
        .check(z.refine((v) => whole(v, MAX_SEATS), t`A whole number from 1 to 1,000,000.`)),
      maxSeatsPerUser: z
        .string()
        .check(
          z.refine((v) => v === '' || whole(v, MAX_SEATS), t`A whole number from 1, or empty for no limit.`),
        ),
      visibility: z.enum(['public', 'members']),
      waitlistPolicy: z.enum(['strict', 'fit']),
      waitlistLimit: z
        .string()
        .check(
          z.refine(
            (v) => v === '' || whole(v, MAX_WAITING, 0),
            t`A whole number up to 10,000,000, or empty for no limit.`,
          ),
        ),
    })
    .check(
      z.refine((f) => f.starts === '' || f.ends === '' || f.ends > f.starts, {
        path: ['ends'],
        error: t`The end must be after the start.`,
      }),
    );
}

export function emptyForm(zone: string, now: Date): EventForm {
  const nextWeek = toWallClock(new Date(now.getTime() + 7 * 86_400_000).toISOString(), zone).slice(0, 10);
  return {
    name: '',
    category: 'concert',
    description: '',
    venue: '',
    starts: `${nextWeek}T19:00`,
    ends: `${nextWeek}T22:00`,
    timeZone: zone,
    totalSlots: '100',
    maxSeatsPerUser: '10',
    visibility: 'public',
    waitlistPolicy: 'strict',
    waitlistLimit: usualWaiting('100'),
  };
}

/** How many parties may wait for so many seats where nobody said otherwise. */
export function usualWaiting(totalSlots: string): string {
  return /^\d+$/.test(totalSlots) ? String(Math.min(Number(totalSlots) * WAITING_PER_SEAT, MAX_WAITING)) : '';
}

export function formOf(event: Event): EventForm {
  return {
    name: event.name,
    category: event.category,
    description: event.description,
    venue: event.venue,
    starts: toWallClock(event.starts_at, event.time_zone),
    ends: toWallClock(event.ends_at, event.time_zone),
    timeZone: event.time_zone,
    totalSlots: String(event.total_slots),
    maxSeatsPerUser: event.max_seats_per_user === null ? '' : String(event.max_seats_per_user),
    visibility: event.visibility,
    waitlistPolicy: event.waitlist_policy,
    waitlistLimit: event.waitlist_limit === null ? '' : String(event.waitlist_limit),
  };
}

export function inputOf(form: EventForm, orgId: string): EventInput {
  return { org_id: orgId, ...bodyOf(form) };
}

function bodyOf(form: EventForm) {
  return {
    name: form.name.trim(),
    category: form.category,
    description: form.description,
    venue: form.venue.trim(),
    starts_at: fromWallClock(form.starts, form.timeZone),
    ends_at: fromWallClock(form.ends, form.timeZone),
    time_zone: form.timeZone,
    total_slots: Number(form.totalSlots),
    max_seats_per_user: form.maxSeatsPerUser === '' ? null : Number(form.maxSeatsPerUser),
    visibility: form.visibility,
    waitlist_policy: form.waitlistPolicy,
    waitlist_limit: form.waitlistLimit === '' ? null : Number(form.waitlistLimit),
  };
}

/** Only what differs, so that an edit never carries along what somebody else changed. */
export function changeOf(form: EventForm, before: EventForm): EventChange {
  const now = bodyOf(form);
  const then = bodyOf(before);
  const change: Record<string, unknown> = {};
  for (const key of Object.keys(now) as (keyof typeof now)[]) {
    if (now[key] !== then[key]) change[key] = now[key];
  }
  return change as EventChange;
}

/** Puts what was typed onto what others saved meanwhile. */
export function rebase(typed: EventForm, before: EventForm, newest: EventForm): Rebased<EventForm> {
  return rebased(typed, before, newest, (a, b, field) => a[field].trim() !== b[field].trim());
}

const FIELDS: Record<string, keyof EventForm> = {
  name: 'name',
  category: 'category',
  description: 'description',
  venue: 'venue',
  starts_at: 'starts',
  ends_at: 'ends',
  time_zone: 'timeZone',
  total_slots: 'totalSlots',
  max_seats_per_user: 'maxSeatsPerUser',
  visibility: 'visibility',
  waitlist_policy: 'waitlistPolicy',
  waitlist_limit: 'waitlistLimit',
};

/** The form's name of a field that the server complains about. */
export function formField(serverField: string): keyof EventForm | null {
  return FIELDS[serverField] ?? null;
}
