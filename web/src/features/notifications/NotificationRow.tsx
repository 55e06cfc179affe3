import { t } from '@lingui/core/macro';
import { useNavigate } from '@tanstack/react-router';
import {
  Bell,
  CalendarClock,
  CalendarX2,
  Hourglass,
  type LucideIcon,
  Mail,
  Megaphone,
  PartyPopper,
  Pencil,
  Ticket,
  TicketX,
} from 'lucide-react';
import { useMarkRead } from '@/api/notifications';
import type { Notification } from '@/api/types';
import { relative } from '@/lib/format';
import { TONES, type Tone } from '@/ui/Badge';
import { cx } from '@/ui/classes';

const LOOKS: Record<string, { icon: LucideIcon; tone: Tone }> = {
  booking_confirmed: { icon: Ticket, tone: 'good' },
  booking_waitlisted: { icon: Hourglass, tone: 'warn' },
  booking_changed: { icon: Pencil, tone: 'accent' },
  booking_cancelled: { icon: TicketX, tone: 'neutral' },
  waitlist_promoted: { icon: PartyPopper, tone: 'good' },
  event_updated: { icon: CalendarClock, tone: 'accent' },
  event_cancelled: { icon: CalendarX2, tone: 'bad' },
  event_reminder: { icon: Bell, tone: 'accent' },
  org_invited: { icon: Mail, tone: 'accent' },
  organizer_message: { icon: Megaphone, tone: 'accent' },
};

// The server's link is a path on our own origin; anything else is not followed.
function target(item: Notification): string | null {
  if (item.link?.startsWith('/') && !item.link.startsWith('//')) return item.link;
  if (item.booking_id) return `/bookings/${item.booking_id}`;
  if (item.type === 'org_invited') return '/invites';
  return item.event_id ? `/events/${item.event_id}` : null;
}

/** One notification. Following it marks it read. */
export function NotificationRow({
  item,
  compact,
  onFollow,
}: {
  item: Notification;
  compact?: boolean;
  onFollow?: () => void;
}) {
  const navigate = useNavigate();
  const markRead = useMarkRead();
  const look = LOOKS[item.type] ?? { icon: Bell, tone: 'neutral' as const };
  const to = target(item);
  const unread = item.read_at === null;
  const follow = () => {
    if (unread) markRead.mutate(item.id);
    onFollow?.();
    if (to) void navigate({ to });
  };
  return (
    <li className="border-b border-line last:border-b-0">
      <button
        type="button"
        onClick={follow}
        className={cx(
          'flex w-full items-start gap-3 px-4 text-left transition-colors hover:bg-sunken focus-visible:outline-offset-[-3px]',
          compact ? 'py-3' : 'py-4',
        )}
      >
        <span className={cx('mt-0.5 grid size-9 shrink-0 place-items-center rounded-full', TONES[look.tone])}>
          <look.icon aria-hidden="true" className="size-[1.1rem]" />
        </span>
        <span className="min-w-0 flex-1">
          <span className={cx('block text-sm', unread ? 'font-semibold' : 'font-medium')}>{item.title}</span>
          <span className={cx('mt-0.5 block text-sm text-muted', compact && 'line-clamp-2')}>
            {item.message}
          </span>
          <time dateTime={item.created_at} className="mt-1 block text-xs text-muted">
            {relative(item.created_at)}
          </time>
        </span>
        {unread ? (
          <span className="mt-2 size-2.5 shrink-0 rounded-full bg-accent">
            <span className="sr-only">{t`unread`}</span>
          </span>
        ) : null}
      </button>
    </li>
  );
}
