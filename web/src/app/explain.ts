// What a refusal means to the person, by its code. A code that isn't known here
// is told in the server's own words, which are safe to show.
import { t } from '@lingui/core/macro';
import { ApiError } from '@/api/problem';

export function explain(error: unknown): string {
  if (!(error instanceof ApiError)) return t`Something went wrong. Please try again.`;
  switch (error.code) {
    case 'offline':
      return t`We couldn't reach the server. Nothing may have changed; trying again is safe.`;
    case 'seats_unavailable':
      return t`Some of these seats were just taken. Please choose others.`;
    case 'seats_held':
      return t`The remaining seats are being chosen by others right now. Some may become free in a moment.`;
    case 'waitlist_first':
      return t`Others are waiting in line, so seats can't be picked right now. You can join the line.`;
    case 'sold_out':
      return t`The event is sold out.`;
    case 'waitlist_full':
      return t`The event is sold out and its waitlist is full.`;
    case 'seat_limit':
      return t`That would be more seats than one person may have at this event.`;
    case 'duplicate_request':
      return t`This request is already being worked on or was just done.`;
    case 'booking_cancelled':
      return t`This booking is already cancelled.`;
    case 'event_not_bookable':
      return t`This event can't be booked or changed any more.`;
    case 'event_has_bookings':
      return t`Somebody has booked this event, so it can't be deleted. You can cancel it instead.`;
    case 'capacity_below_sold':
      return t`Seats above that number are already sold.`;
    case 'event_cancelled':
      return t`The event is cancelled and can't be changed any more.`;
    case 'event_started':
      return t`The event has started: its times are fixed, only a later end is possible.`;
    case 'event_completed':
      return t`The event is over and can't be changed any more.`;
    case 'org_suspended':
      return t`This organization is suspended: for now nobody can book there, join it, invite anybody or create events.`;
    case 'seats_not_in_booking':
      return t`These seats no longer belong to this booking.`;
    case 'holds_unavailable':
      return t`Seats can't be held right now. You can still book.`;
    case 'already_member':
      return t`This person is already a member.`;
    case 'already_invited':
      return t`This address already has a pending invitation.`;
    case 'invite_not_pending':
      return t`This invitation was answered, withdrawn or has expired.`;
    case 'too_many_organizations':
      return t`You have founded as many organizations as one person may.`;
    case 'too_many_invites':
      return error.status === 429
        ? t`You or others sent too many invitations today. Please try again tomorrow.`
        : t`Too many invitations of this organization are not answered yet.`;
    case 'too_many_for_others':
      return t`Too many bookings for others were made today, by you or for this address. Please try again tomorrow.`;
    case 'too_many_sends':
      return t`It was mailed as often as it may be. Withdraw it and invite the address anew.`;
    case 'organization_not_empty':
      return t`The organization has events, so it can't be deleted.`;
    case 'last_org_admin':
      return t`An organization needs at least one administrator.`;
    default:
  }
  if (error.status === 401) return t`You were signed out. Sign in to go on.`;
  if (error.status === 403) return t`Your role does not allow this.`;
  if (error.status === 404) return t`It is no longer there.`;
  if (error.status === 412) return t`Somebody changed this meanwhile.`;
  if (error.status === 429) return t`That was a little fast. Please try again in a moment.`;
  if (error.status >= 500) return t`The server can't do this right now. Trying again in a moment is safe.`;
  return error.detail || t`That was not possible.`;
}
