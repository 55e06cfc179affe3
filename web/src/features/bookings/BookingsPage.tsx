import { plural, t } from '@lingui/core/macro';
import { Link } from '@tanstack/react-router';
import { Hourglass, Ticket } from 'lucide-react';
import { useMyBookings } from '@/api/bookings';
import { useHouse } from '@/api/houses';
import type { Booking, Me } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { useTitle } from '@/app/title';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { DateBlock } from '@/features/event/DateBlock';
import { startLine } from '@/lib/format';
import { seatSummary } from '@/lib/seatNames';
import { Badge } from '@/ui/Badge';
import { Button, ButtonLink } from '@/ui/Button';
import { cx } from '@/ui/classes';
import { EmptyState } from '@/ui/EmptyState';
import { PageHeader } from '@/ui/PageHeader';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { bookingBadge, isCurrent } from './status';

/** Everything that one has booked or waits for. */
export function BookingsPage() {
  return <RequireSignIn>{(me) => <Bookings me={me} />}</RequireSignIn>;
}

function Bookings({ me }: { me: Me }) {
  const list = useMyBookings(me.id);
  useTitle(t`My bookings`);
  const all = list.data?.pages.flatMap((page) => page.items) ?? [];
  const current = all.filter(isCurrent).sort(byStart);
  const rest = all.filter((booking) => !isCurrent(booking));
  return (
    <div className="page">
      <PageHeader title={t`My bookings`} />
      {list.isPending ? (
        <Loading className="space-y-3">
          <Skeleton className="h-24 rounded-xl" />
          <Skeleton className="h-24 rounded-xl" />
          <Skeleton className="h-24 rounded-xl" />
        </Loading>
      ) : list.isError && all.length === 0 ? (
        <Failure error={list.error} onRetry={() => void list.refetch()} />
      ) : all.length === 0 ? (
        <EmptyState
          icon={Ticket}
          title={t`No bookings yet`}
          action={<ButtonLink to="/">{t`Discover events`}</ButtonLink>}
        >
          {t`Once you book seats or join a waitlist, you find them here.`}
        </EmptyState>
      ) : (
        <>
          {current.length > 0 ? (
            <section>
              <h2 className="mb-3 text-sm font-semibold text-muted">{t`Coming up`}</h2>
              <BookingList bookings={current} label={t`Coming up`} />
            </section>
          ) : (
            <p className="rounded-xl border border-dashed border-line px-6 py-8 text-center text-sm text-muted">
              {t`Nothing is coming up for you.`}
            </p>
          )}
          {rest.length > 0 ? (
            <section className="mt-10">
              <h2 className="mb-3 text-sm font-semibold text-muted">{t`Past and cancelled`}</h2>
              <BookingList bookings={rest} label={t`Past and cancelled`} quiet />
            </section>
          ) : null}
          {list.hasNextPage ? (
            <div className="mt-6 flex justify-center">
              <Button
                look="secondary"
                busy={list.isFetchingNextPage}
                onClick={() => void list.fetchNextPage()}
              >
                {t`Show more`}
              </Button>
            </div>
          ) : null}
        </>
      )}
    </div>
  );
}

function byStart(a: Booking, b: Booking): number {
  return Date.parse(a.event?.starts_at ?? '') - Date.parse(b.event?.starts_at ?? '');
}

function BookingList({ bookings, label, quiet }: { bookings: Booking[]; label: string; quiet?: boolean }) {
  return (
    <ul aria-label={label} className="space-y-3">
      {bookings.map((booking) => (
        <BookingRow key={booking.id} booking={booking} quiet={quiet ?? false} />
      ))}
    </ul>
  );
}

function BookingRow({ booking, quiet }: { booking: Booking; quiet: boolean }) {
  const event = booking.event;
  const badge = bookingBadge(booking);
  return (
    <li className="relative flex items-center gap-4 rounded-xl border border-line bg-surface p-4 shadow-card transition-shadow hover:shadow-float">
      {event ? (
        <DateBlock iso={event.starts_at} zone={event.time_zone} className={quiet ? 'grayscale' : ''} />
      ) : null}
      <div className="min-w-0 flex-1">
        <h3 className={cx('line-clamp-2 font-semibold wrap-anywhere', quiet && 'text-muted')}>
          <Link
            to="/bookings/$bookingId"
            params={{ bookingId: booking.id }}
            className="after:absolute after:inset-0 after:rounded-xl focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-accent-ink"
          >
            {event?.name ?? t`An event`}
          </Link>
        </h3>
        {event ? (
          <p className="text-sm wrap-anywhere text-muted">
            {startLine(event.starts_at, event.time_zone)}
            {event.venue ? ` · ${event.venue}` : ''}
          </p>
        ) : null}
        <Badge tone={badge.tone} className="mt-1.5 sm:hidden">
          {badge.label}
        </Badge>
        <p className="mt-1 text-sm font-medium">
          <SeatsOrPlace booking={booking} />
        </p>
      </div>
      <Badge tone={badge.tone} className="self-start max-sm:hidden">
        {badge.label}
      </Badge>
    </li>
  );
}

function SeatsOrPlace({ booking }: { booking: Booking }) {
  const house = useHouse(booking.event);
  if (booking.status === 'waiting') {
    const position = booking.position ?? booking.waiting_number ?? 0;
    const party = plural(booking.seats, { one: 'party of #', other: 'party of #' });
    return (
      <span className="inline-flex items-center gap-1.5 text-warn">
        <Hourglass aria-hidden="true" className="size-4" />
        {t`Number ${position} in line, ${party}`}
      </span>
    );
  }
  const known = house !== undefined && booking.seat_numbers.length > 0;
  return known
    ? seatSummary(house, booking.seat_numbers)
    : plural(booking.seats, { one: '# seat', other: '# seats' });
}
