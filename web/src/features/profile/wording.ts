// What the types of notifications mean to people, and how they belong together.
import { t } from '@lingui/core/macro';

export interface Wording {
  readonly name: string;
  readonly when: string;
}

export interface Group<P> {
  readonly key: string;
  readonly title: string;
  readonly items: readonly (P & { readonly wording: Wording })[];
}

const ORDER: Record<string, readonly string[]> = {
  bookings: [
    'booking_confirmed',
    'booking_waitlisted',
    'waitlist_promoted',
    'booking_changed',
    'booking_cancelled',
  ],
  events: ['event_updated', 'event_cancelled', 'event_reminder', 'organizer_message'],
  organizations: ['org_invited'],
};

/** An invitation must reach whoever has no account yet; its mail can't be switched off. */
export function mailIsFixed(type: string): boolean {
  return type === 'org_invited';
}

export function wordingOf(type: string): Wording {
  switch (type) {
    case 'booking_confirmed':
      return { name: t`Booked`, when: t`Your seats are booked.` };
    case 'booking_waitlisted':
      return { name: t`On the waitlist`, when: t`You joined a waitlist, and with which place.` };
    case 'waitlist_promoted':
      return { name: t`Off the waitlist`, when: t`Seats became free, and they are yours.` };
    case 'booking_changed':
      return { name: t`Booking changed`, when: t`You or the organizer changed your seats.` };
    case 'booking_cancelled':
      return { name: t`Booking cancelled`, when: t`Your seats or your place in line are given back.` };
    case 'event_updated':
      return { name: t`Event changed`, when: t`Time or place of an event that you booked are others now.` };
    case 'event_cancelled':
      return { name: t`Event cancelled`, when: t`An event that you booked does not take place.` };
    case 'event_reminder':
      return { name: t`Reminder`, when: t`An event that you booked is about to begin.` };
    case 'organizer_message':
      return { name: t`Message of an organizer`, when: t`Organizers write to those who booked.` };
    case 'org_invited':
      return { name: t`Invitation`, when: t`An organization invites you to join.` };
    default:
      // Newer than this page: its own name, readable.
      return { name: capitalized(type.replaceAll('_', ' ')), when: '' };
  }
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Sorts preferences into what they are about; types that aren't known here come last. */
export function grouped<P extends { readonly type: string }>(all: readonly P[]): Group<P>[] {
  const titles: Record<string, string> = {
    bookings: t`Your bookings`,
    events: t`Events that you booked`,
    organizations: t`Organizations`,
    others: t`Others`,
  };
  const known = new Set(Object.values(ORDER).flat());
  const order = { ...ORDER, others: all.map(({ type }) => type).filter((type) => !known.has(type)) };
  return Object.entries(order)
    .map(([key, types]) => ({
      key,
      title: titles[key] ?? key,
      items: types.flatMap((type) =>
        all.filter((one) => one.type === type).map((one) => ({ ...one, wording: wordingOf(type) })),
      ),
    }))
    .filter(({ items }) => items.length > 0);
}
