// The record in sentences, and its before and after in words. Names that come
// from people are wrapped in Unicode's isolates, so that text of any direction
// stays in its place, and so that the screen can set them off.
import { t } from '@lingui/core/macro';
import type { AuditEntry } from '@/api/types';
import { isRole, roleName } from '@/features/organization/roles';
import { moment } from '@/lib/format';
import { seatSummary } from '@/lib/seatNames';
import type { House } from '@/seatmap/house';
import { seatNumbersIn } from './seatNumbers';

const OPEN = '\u2068';
const CLOSE = '\u2069';

export interface Piece {
  readonly text: string;
  /** It is somebody's or something's name. */
  readonly named: boolean;
  /** Where it begins in the sentence. */
  readonly at: number;
}

/** Parts a sentence into names and the words between them. */
export function piecesOf(sentence: string): Piece[] {
  const pieces: Piece[] = [];
  let at = 0;
  for (const part of sentence.split(/(\u2068[^\u2069]*\u2069)/)) {
    const named = part.startsWith(OPEN);
    const text = named ? part.slice(1, -1) : part;
    if (text !== '') pieces.push({ text, named, at });
    at += part.length;
  }
  return pieces;
}

function name(text: string): string {
  return `${OPEN}${text.replace(/[\u2066-\u2069]/g, '')}${CLOSE}`;
}

type Details = Readonly<Record<string, unknown>>;

function roleOf(details: Details | null): string {
  const role = details?.role;
  return isRole(role) ? roleName(role) : t`somebody`;
}

/** Who did it, as one would say it. */
export function actorName(entry: AuditEntry): string {
  if (entry.actor) return entry.actor.name || t`Somebody`;
  return /^org\.(suspended|resumed)$/.test(entry.action) ? t`The operator` : t`Happening`;
}

/** What was done, in a sentence. */
export function sentenceOf(entry: AuditEntry): string {
  const who = name(actorName(entry));
  const what = entry.subject?.label ? name(entry.subject.label) : null;
  const itself = entry.actor !== null && entry.actor.id === entry.subject_id;
  const whom = what ?? t`somebody who is gone`;
  const event = what ?? t`an event that is gone`;
  const invited = what ?? t`somebody`;
  const was = roleOf(entry.before);
  const is = roleOf(entry.after);
  switch (entry.action) {
    case 'org.created':
      return t`${who} founded the organization`;
    case 'org.updated': {
      const settings = changedNames(entry).join(', ');
      return settings === '' ? t`${who} changed the settings` : t`${who} changed the settings: ${settings}`;
    }
    case 'org.deleted':
      return t`${who} deleted the organization`;
    case 'org.suspended':
      return t`${who} suspended the organization`;
    case 'org.resumed':
      return t`${who} opened the organization again`;
    case 'invite.created':
      return t`${who} invited ${invited} as ${is}`;
    case 'invite.resent':
      return t`${who} sent the invitation to ${invited} again`;
    case 'invite.revoked':
      return t`${who} withdrew the invitation to ${invited}`;
    case 'invite.rejected':
      return t`${who} declined the invitation as ${was}`;
    case 'member.joined':
      return entry.before
        ? t`${who} accepted an invitation and went from ${was} to ${is}`
        : t`${who} joined as ${is}`;
    case 'member.role_changed':
      return itself
        ? t`${who} changed their own role from ${was} to ${is}`
        : t`${who} changed the role of ${whom} from ${was} to ${is}`;
    case 'member.removed':
      return t`${who} removed ${whom}, who was ${was}`;
    case 'member.left':
      return t`${who} left; the role was ${was}`;
    case 'member.erased':
      return t`Somebody deleted their account; the role was ${was}`;
    case 'event.created':
      return t`${who} created the event ${event}`;
    case 'event.updated': {
      const settings = changedNames(entry).join(', ');
      return settings === ''
        ? t`${who} changed the event ${event}`
        : t`${who} changed the event ${event}: ${settings}`;
    }
    case 'event.cancelled':
      return t`${who} cancelled the event ${event}`;
    case 'event.deleted':
      return t`${who} deleted the event ${event}`;
    case 'event.layout_changed':
      return t`${who} laid out the seats of ${event} anew`;
    case 'event.blocks_changed':
      return blockSentence(entry, who, event);
    case 'event.booked_for':
      return t`${who} booked for somebody at ${event}`;
    case 'event.booking_cancelled':
      return t`${who} cancelled somebody's booking at ${event}`;
    case 'event.seats_cancelled':
      return t`${who} gave up seats of somebody's booking at ${event}`;
    case 'event.party_resized':
      return t`${who} made somebody's party on the waitlist of ${event} smaller`;
    case 'event.booking_moved':
      return t`${who} moved somebody's booking at ${event} to other seats`;
    case 'event.booking_promoted':
      return t`${who} gave seats to somebody on the waitlist of ${event}, out of turn`;
    default:
      return unknownSentence(who, entry.action);
  }
}

// A newer server may know more; that all which this one knows has a sentence is
// the compiler's to see.
function unknownSentence(who: string, action: never): string {
  return t`${who}: ${String(action)}`;
}

function blockSentence(entry: AuditEntry, who: string, event: string): string {
  const off = Boolean(entry.after?.blocked);
  const on = Boolean(entry.after?.unblocked);
  if (off && !on) return t`${who} took seats of ${event} off sale`;
  if (on && !off) return t`${who} put seats of ${event} on sale again`;
  return t`${who} changed which seats of ${event} are off sale`;
}

/** The actions that one can look for, by what they are about. */
export function actionGroups(): { label: string; actions: { value: string; label: string }[] }[] {
  return [
    {
      label: t`Members`,
      actions: [
        { value: 'member.joined', label: t`Somebody joined` },
        { value: 'member.role_changed', label: t`Role changed` },
        { value: 'member.removed', label: t`Member removed` },
        { value: 'member.left', label: t`Member left` },
        { value: 'member.erased', label: t`Account deleted` },
      ],
    },
    {
      label: t`Invitations`,
      actions: [
        { value: 'invite.created', label: t`Invited` },
        { value: 'invite.resent', label: t`Invitation sent again` },
        { value: 'invite.revoked', label: t`Invitation withdrawn` },
        { value: 'invite.rejected', label: t`Invitation declined` },
      ],
    },
    {
      label: t`Events`,
      actions: [
        { value: 'event.created', label: t`Event created` },
        { value: 'event.updated', label: t`Event changed` },
        { value: 'event.layout_changed', label: t`Seats laid out anew` },
        { value: 'event.blocks_changed', label: t`Seats taken off sale, or put on sale` },
        { value: 'event.cancelled', label: t`Event cancelled` },
        { value: 'event.deleted', label: t`Event deleted` },
      ],
    },
    {
      label: t`Bookings, by who runs the event`,
      actions: [
        { value: 'event.booked_for', label: t`Booked for somebody` },
        { value: 'event.booking_cancelled', label: t`Booking cancelled` },
        { value: 'event.seats_cancelled', label: t`Seats given up` },
        { value: 'event.booking_moved', label: t`Booking moved to other seats` },
        { value: 'event.booking_promoted', label: t`Promoted from the waitlist by hand` },
        { value: 'event.party_resized', label: t`Waiting party made smaller` },
      ],
    },
    {
      label: t`Organization`,
      actions: [
        { value: 'org.created', label: t`Founded` },
        { value: 'org.updated', label: t`Settings changed` },
        { value: 'org.suspended', label: t`Suspended` },
        { value: 'org.resumed', label: t`Opened again` },
      ],
    },
  ];
}

/** Whether seats are named in what an entry tells. */
export function namesSeats({ before, after }: AuditEntry): boolean {
  const keys = ['seat_numbers', ...Object.keys(SPANS)];
  return keys.some((key) => before?.[key] !== undefined || after?.[key] !== undefined);
}

// How a list of seats is written: "1-20, 25".
const SPANS: Partial<Record<string, true>> = { blocked: true, unblocked: true };
/** More seats are told as they are written. */
const NAMED_MOST = 20_000;

function seatsOf(key: string, value: unknown): number[] | null {
  if (key === 'seat_numbers' && Array.isArray(value)) return value.filter((n) => typeof n === 'number');
  return key in SPANS && typeof value === 'string' ? seatNumbersIn(value, NAMED_MOST) : null;
}

const LIMITS = ['max_seats_per_user', 'waitlist_limit'];

// Ids and counters tell people nothing.
const HIDDEN = /^(changed|revision|logo|.*_id)$/;

export interface Difference {
  readonly key: string;
  readonly label: string;
  /** Null: it was not there, or is not kept. */
  readonly before: string | null;
  readonly after: string | null;
}

/**
 * What differs between before and after, in words; what stayed is left out. Seats are named as the `house` of the entry's
 * event does; where that is not known they are counted through.
 */
export function differencesOf(entry: AuditEntry, house?: House | null): Difference[] {
  const { before, after } = entry;
  const keys = [...new Set([...Object.keys(before ?? {}), ...Object.keys(after ?? {})])];
  return (
    keys
      .filter((key) => !HIDDEN.test(key))
      // Of seats taken off sale and put on sale only one list may have any.
      .filter((key) => !(key in SPANS && before?.[key] === undefined && after?.[key] === ''))
      .filter((key) => JSON.stringify(before?.[key]) !== JSON.stringify(after?.[key]))
      .map((key) => ({
        key,
        label: settingName(key),
        before: told(key, before, after, house),
        after: told(key, after, before, house),
      }))
  );
}

// A limit stands in the record where there is one: that it is on one side only
// says that there is none on the other.
function told(
  key: string,
  details: Details | null,
  others: Details | null,
  house: House | null | undefined,
): string | null {
  if (!details) return null;
  const seats = seatsOf(key, details[key]);
  if (seats) return seatSummary(house, seats);
  if (key in details) return shown(key, details[key]);
  return LIMITS.includes(key) && others ? shown(key, null) : null;
}

/** What changed without its values being kept, for instance texts. */
export function untoldOf(entry: AuditEntry): string[] {
  const changed = entry.after?.changed;
  const named = Array.isArray(changed) ? changed.filter((key) => typeof key === 'string') : [];
  const logo = entry.before?.logo !== undefined || entry.after?.logo !== undefined;
  return [...named, ...(logo ? ['logo'] : [])].map(settingName);
}

/** The booking that an entry is about, beside its event; null for most. */
export function bookingOf(entry: AuditEntry): string | null {
  const id = entry.after?.booking_id ?? entry.before?.booking_id;
  return typeof id === 'string' ? id : null;
}

function changedNames(entry: AuditEntry): string[] {
  return [...differencesOf(entry).map((difference) => difference.label), ...untoldOf(entry)].map(lowerFirst);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function settingName(key: string): string {
  switch (key) {
    case 'name':
      return t`Name`;
    case 'about':
      return t`Text about it`;
    case 'contact_email':
      return t`Contact address`;
    case 'website':
      return t`Website`;
    case 'color':
      return t`Colour`;
    case 'logo':
      return t`Logo`;
    case 'time_zone':
      return t`Time zone`;
    case 'suspended':
      return t`Suspended`;
    case 'role':
      return t`Role`;
    case 'sends':
      return t`Times sent`;
    case 'starts_at':
      return t`Start`;
    case 'ends_at':
      return t`End`;
    case 'seat_numbers':
      return t`Seat numbers`;
    case 'blocked':
      return t`Seats taken off sale`;
    case 'unblocked':
      return t`Seats put on sale again`;
    case 'status':
      return t`Booking`;
    case 'seats':
    case 'total_slots':
      return t`Seats`;
    case 'visibility':
      return t`Who can see it`;
    case 'waitlist_policy':
      return t`Waitlist order`;
    case 'waitlist_limit':
      return t`Longest waitlist`;
    case 'max_seats_per_user':
      return t`Most seats per person`;
    case 'cancelled_at':
      return t`Cancelled`;
    case 'category':
      return t`Category`;
    case 'description':
      return t`Description`;
    case 'venue':
      return t`Venue`;
    default:
      return key.replaceAll('_', ' ');
  }
}

const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/;

function shown(key: string, value: unknown): string {
  if (value === null && LIMITS.includes(key)) return t`no limit`;
  if (value === 0 && key === 'waitlist_limit') return t`no waitlist`;
  if (value === null || value === undefined || value === '') return t`none`;
  if (typeof value === 'boolean') return value ? t`yes` : t`no`;
  if (typeof value === 'number') return new Intl.NumberFormat('en').format(value);
  if (Array.isArray(value)) return value.map(String).join(', ');
  if (typeof value !== 'string') return JSON.stringify(value);
  if (isRole(value)) return roleName(value);
  if (INSTANT.test(value)) return moment(value);
  switch (value) {
    case 'public':
      return t`Everybody`;
    case 'members':
      return t`Members only`;
    case 'strict':
      return t`Strict order`;
    case 'fit':
      return t`First that fits`;
    case 'confirmed':
      return t`Confirmed`;
    case 'waiting':
      return t`Waiting`;
    case 'cancelled':
      return t`Cancelled`;
    case 'set':
      return t`one that is not kept here`;
    case 'empty':
      return t`none`;
    default:
      return value;
  }
}
