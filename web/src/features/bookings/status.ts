import { t } from '@lingui/core/macro';
import type { Booking } from '@/api/types';
import type { Tone } from '@/ui/Badge';

/** A booking's state in a word. */
export function bookingBadge(booking: Pick<Booking, 'status'>): { tone: Tone; label: string } {
  switch (booking.status) {
    case 'confirmed':
      return { tone: 'good', label: t`Confirmed` };
    case 'waiting':
      return { tone: 'warn', label: t`Waiting` };
    default:
      return { tone: 'neutral', label: t`Cancelled` };
  }
}

/** Why a booking was cancelled where the person didn't ask for it. */
export function cancelReason(reason: string | null | undefined): string | null {
  switch (reason) {
    case 'event_started':
      return t`The event started before seats became free.`;
    case 'event_cancelled':
      return t`The organizer cancelled the event.`;
    case 'capacity':
      return t`The organizer made the event smaller than your party.`;
    case 'person_erased':
      return t`Whoever booked deleted their account.`;
    default:
      return null;
  }
}

/** Whether the booking still matters: its event is not over and it is not cancelled. */
export function isCurrent(booking: Booking): boolean {
  const status = booking.event?.status;
  return booking.status !== 'cancelled' && (status === 'upcoming' || status === 'ongoing');
}

/**
 * Whose booking it is, for those who may know. Of whom the organization booked
 * for it has the address; whoever had their account erased has neither.
 */
export function bookerName(booking: Booking): string {
  if (!booking.user) return t`Somebody`;
  return booking.user.name || booking.user.email || t`Deleted account`;
}
