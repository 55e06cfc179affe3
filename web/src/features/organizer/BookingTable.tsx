import { plural, t } from '@lingui/core/macro';
import { Link } from '@tanstack/react-router';
import { Hourglass, Ticket, TicketX } from 'lucide-react';
import type { useWaitlist } from '@/api/events';
import type { Booking } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { bookerName, cancelReason } from '@/features/bookings/status';
import { moment } from '@/lib/format';
import { seatSummary } from '@/lib/seatNames';
import type { House } from '@/seatmap/house';
import { Avatar } from '@/ui/Avatar';
import { Badge } from '@/ui/Badge';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { EmptyState } from '@/ui/EmptyState';
import { Loading, Skeleton } from '@/ui/Skeleton';

type Kind = 'confirmed' | 'waiting' | 'cancelled';

/** Bookings of one event as its organizer sees them; on a phone each becomes a card. */
export function BookingTable({
  list,
  kind,
  house,
}: {
  list: ReturnType<typeof useWaitlist>;
  kind: Kind;
  house: House | null | undefined;
}) {
  if (list.isPending) {
    return (
      <Loading className="space-y-2">
        <Skeleton className="h-14 rounded-lg" />
        <Skeleton className="h-14 rounded-lg" />
        <Skeleton className="h-14 rounded-lg" />
      </Loading>
    );
  }
  const bookings = list.data?.pages.flatMap((page) => page.items) ?? [];
  if (list.isError && bookings.length === 0)
    return <Failure error={list.error} onRetry={() => void list.refetch()} />;
  if (bookings.length === 0) return <Nothing kind={kind} />;
  return (
    <>
      <Card className="overflow-hidden">
        <ul className="divide-y divide-line">
          {bookings.map((booking, i) => (
            <Row
              key={booking.id}
              booking={booking}
              kind={kind}
              house={house}
              position={booking.position ?? i + 1}
            />
          ))}
        </ul>
      </Card>
      {list.hasNextPage ? (
        <div className="mt-5 flex justify-center">
          <Button look="secondary" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {t`Show more`}
          </Button>
        </div>
      ) : null}
    </>
  );
}

function Row({
  booking,
  kind,
  house,
  position,
}: {
  booking: Booking;
  kind: Kind;
  house: House | null | undefined;
  position: number;
}) {
  const name = bookerName(booking);
  return (
    <li className="relative grid grid-cols-[auto_1fr] items-center gap-x-4 gap-y-1 px-4 py-3.5 transition-colors hover:bg-sunken md:grid-cols-[auto_1.2fr_1.4fr_auto]">
      {kind === 'waiting' ? (
        <span className="figures grid size-9 place-items-center rounded-full bg-warn-soft text-sm font-bold text-warn">
          <span className="sr-only">{t`Position`} </span>
          {position}
        </span>
      ) : (
        <Avatar name={name} seed={booking.user_id} />
      )}
      <div className="min-w-0">
        <Link
          to="/bookings/$bookingId"
          params={{ bookingId: booking.id }}
          className="block text-sm font-semibold wrap-anywhere after:absolute after:inset-0 focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent-ink"
        >
          {name}
        </Link>
        <span className="block text-sm wrap-anywhere text-muted">
          {name === booking.user?.email ? null : booking.user?.email}
        </span>
        {booking.on_behalf ? <Badge className="mt-1">{t`Booked for them`}</Badge> : null}
      </div>
      <p className="col-start-2 row-start-2 text-sm md:col-start-3 md:row-start-1">
        <span className="font-medium">{plural(booking.seats, { one: '# seat', other: '# seats' })}</span>
        <span className="text-muted"> {detail(booking, kind, house)}</span>
      </p>
      <time dateTime={booking.created_at} className="text-sm text-muted max-md:col-start-2 md:text-right">
        {moment(booking.created_at)}
      </time>
    </li>
  );
}

function detail(booking: Booking, kind: Kind, house: House | null | undefined): string {
  if (kind === 'waiting') return t`· number ${booking.waiting_number ?? 0}`;
  if (kind === 'cancelled') {
    const reason = cancelReason(booking.reason);
    return reason ? `· ${reason}` : '';
  }
  return `· ${seatSummary(house, booking.seat_numbers)}`;
}

function Nothing({ kind }: { kind: Kind }) {
  if (kind === 'waiting') {
    return (
      <EmptyState icon={Hourglass} title={t`Nobody is waiting`}>
        {t`When the event is sold out, parties line up here in order.`}
      </EmptyState>
    );
  }
  if (kind === 'cancelled') {
    return (
      <EmptyState icon={TicketX} title={t`No cancellations`}>
        {t`Bookings that were cancelled stay here, and so do places on the waitlist that were given up.`}
      </EmptyState>
    );
  }
  return (
    <EmptyState icon={Ticket} title={t`No bookings yet`}>
      {t`They appear here by themselves, as they happen.`}
    </EmptyState>
  );
}
