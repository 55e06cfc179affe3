import { plural, t } from '@lingui/core/macro';
import type { Event } from '@/api/types';
import { count } from '@/lib/format';
import type { Tone } from '@/ui/Badge';

export interface Availability {
  readonly tone: 'accent' | 'warn' | 'bad';
  readonly label: string;
  /** 0 (all free) to 1 (sold out). */
  readonly share: number;
  readonly soldOut: boolean;
}

const FEW_SHARE = 0.1;
const FEW_SEATS = 10;

type Counted = Pick<Event, 'available_slots' | 'total_slots' | 'waiting_parties' | 'waitlist_limit'>;

/** How full an event is, in words and as a share. */
export function availabilityOf(event: Counted): Availability {
  const left = event.available_slots;
  const total = event.total_slots;
  const share = total > 0 ? 1 - left / total : 1;
  if (left <= 0) {
    const waiting = event.waiting_parties;
    const label =
      waiting > 0
        ? plural(waiting, { one: 'Sold out · # party waiting', other: 'Sold out · # parties waiting' })
        : event.waitlist_limit === 0
          ? t`Sold out`
          : t`Sold out · waitlist open`;
    return { tone: 'bad', label, share: 1, soldOut: true };
  }
  const few = left <= FEW_SEATS || left / total <= FEW_SHARE;
  if (few && left < total) {
    return {
      tone: 'warn',
      label: plural(left, { one: 'Only # seat left', other: 'Only # seats left' }),
      share,
      soldOut: false,
    };
  }
  const leftText = count(left);
  const totalText = count(total);
  return { tone: 'accent', label: t`${leftText} of ${totalText} seats free`, share, soldOut: false };
}

/** What is said of an event that isn't simply upcoming; null when it is. */
export function statusBadge(status: Event['status']): { tone: Tone; label: string } | null {
  switch (status) {
    case 'cancelled':
      return { tone: 'bad', label: t`Cancelled` };
    case 'ongoing':
      return { tone: 'good', label: t`Happening now` };
    case 'completed':
      return { tone: 'neutral', label: t`Over` };
    default:
      return null;
  }
}
