import { plural, t } from '@lingui/core/macro';
import { getRouteApi, Link } from '@tanstack/react-router';
import { CalendarDays, Hourglass, MapPin } from 'lucide-react';
import { useBooking } from '@/api/bookings';
import { useHouse } from '@/api/houses';
import type { Booking } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { PendingScreen } from '@/app/PendingScreen';
import { useTitle } from '@/app/title';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { longDate, timeRange, viewerTime, zoneName } from '@/lib/format';
import { seatPlace } from '@/lib/seatNames';
import type { House } from '@/seatmap/house';
import { Badge } from '@/ui/Badge';
import { Card } from '@/ui/Card';
import { Notice } from '@/ui/Notice';
import { BackLink, PageHeader } from '@/ui/PageHeader';
import { ChangeBooking } from './ChangeBooking';
import { HistoryTimeline } from './HistoryTimeline';
import { bookerName, bookingBadge, cancelReason } from './status';

const route = getRouteApi('/bookings/$bookingId');

/** One booking: its seats or its place in line, its history, and changing it. */
export function BookingPage() {
  const { bookingId } = route.useParams();
  return <RequireSignIn>{(me) => <Details id={bookingId} viewerId={me.id} />}</RequireSignIn>;
}

function Details({ id, viewerId }: { id: string; viewerId: string }) {
  const { data: booking, error, isPending, refetch } = useBooking(id);
  const eventName = booking?.event?.name;
  const house = useHouse(booking?.event);
  useTitle(booking ? (eventName ? t`Booking: ${eventName}` : t`Booking`) : null);
  if (isPending) return <PendingScreen />;
  if (!booking) return <Failure page error={error} onRetry={() => void refetch()} />;
  const badge = bookingBadge(booking);
  const own = booking.user_id === viewerId;
  const reason = booking.status === 'cancelled' ? cancelReason(booking.reason) : null;
  return (
    <div className="page">
      <PageHeader
        back={
          own ? (
            <BackLink to="/bookings">{t`My bookings`}</BackLink>
          ) : (
            <BackLink
              to="/manage/events/$eventId"
              params={{ eventId: booking.event_id }}
            >{t`Event`}</BackLink>
          )
        }
        title={
          <span className="flex flex-wrap items-center gap-3">
            <Link to="/events/$eventId" params={{ eventId: booking.event_id }} className="hover:underline">
              {booking.event?.name ?? t`An event`}
            </Link>
            <Badge tone={badge.tone}>{badge.label}</Badge>
          </span>
        }
        lead={own || !booking.user ? null : t`Booked by ${bookerName(booking)}`}
      />
      <div className="grid gap-6 lg:grid-cols-[1fr_22rem]">
        <div className="space-y-6">
          {reason ? <Notice tone="neutral">{reason}</Notice> : null}
          {own && booking.on_behalf && booking.status !== 'cancelled' ? (
            <Notice tone="neutral">{t`The organizer booked this for you. It is yours to change or cancel.`}</Notice>
          ) : null}
          <TicketCard booking={booking} house={house} />
          <ChangeBooking booking={booking} house={house} />
        </div>
        <HistoryTimeline bookingId={id} house={house} />
      </div>
    </div>
  );
}

function TicketCard({ booking, house }: { booking: Booking; house: House | null | undefined }) {
  const event = booking.event;
  const own = event ? viewerTime(event.starts_at, event.time_zone) : null;
  return (
    <Card className="overflow-hidden">
      {event ? (
        <div className="grid gap-4 p-6 sm:grid-cols-2">
          <Fact icon={<CalendarDays />} label={longDate(event.starts_at, event.time_zone)}>
            {timeRange(event.starts_at, event.ends_at, event.time_zone)}{' '}
            {zoneName(event.starts_at, event.time_zone)}
            {own ? ` · ${t`${own} your time`}` : ''}
          </Fact>
          {event.venue ? <Fact icon={<MapPin />} label={event.venue} /> : null}
        </div>
      ) : null}
      <div className="relative border-t-2 border-dashed border-line">
        <span
          className="absolute -top-3 -left-3 size-6 rounded-full border border-line bg-ground"
          aria-hidden="true"
        />
        <span
          className="absolute -top-3 -right-3 size-6 rounded-full border border-line bg-ground"
          aria-hidden="true"
        />
      </div>
      <div className="p-6">
        {booking.status === 'waiting' ? (
          <PlaceInLine booking={booking} />
        ) : (
          <SeatTiles booking={booking} house={house} />
        )}
      </div>
    </Card>
  );
}

function Fact({
  icon,
  label,
  children,
}: {
  icon: React.ReactNode;
  label: string;
  children?: React.ReactNode;
}) {
  return (
    <div className="flex gap-3">
      <span aria-hidden="true" className="mt-0.5 text-muted [&>svg]:size-5">
        {icon}
      </span>
      <div>
        <p className="font-semibold">{label}</p>
        {children ? <p className="text-sm text-muted">{children}</p> : null}
      </div>
    </div>
  );
}

function SeatTiles({ booking, house }: { booking: Booking; house: House | null | undefined }) {
  if (booking.seat_numbers.length === 0) {
    return <p className="text-sm text-muted">{t`No seats belong to this booking any more.`}</p>;
  }
  return (
    <>
      <h2 className="mb-3 text-sm font-semibold text-muted">
        {plural(booking.seat_numbers.length, { one: '# seat', other: '# seats' })}
      </h2>
      <ul className="grid grid-cols-[repeat(auto-fill,minmax(7rem,1fr))] gap-2.5">
        {booking.seat_numbers.map((number) => {
          const place = seatPlace(house, number);
          const row = place?.row ?? '';
          const seat = place?.number ?? number;
          return (
            <li key={number} className="rounded-lg bg-accent-soft px-4 py-3 text-accent-ink">
              {place?.section ? (
                <span className="block text-xs font-semibold wrap-anywhere">{place.section}</span>
              ) : null}
              {place ? (
                <span className="block text-xs font-semibold wrap-anywhere">{t`Row ${row}`}</span>
              ) : null}
              <span className="figures block text-xl font-bold">
                {place ? t`Seat ${seat}` : t`No. ${seat}`}
              </span>
            </li>
          );
        })}
      </ul>
    </>
  );
}

function PlaceInLine({ booking }: { booking: Booking }) {
  const position = booking.position ?? 0;
  return (
    <div className="flex items-center gap-5" aria-live="polite">
      <span className="grid size-20 shrink-0 place-items-center rounded-2xl bg-warn-soft text-warn">
        {position > 0 ? (
          <span className="figures text-3xl font-bold">{position}</span>
        ) : (
          <Hourglass aria-hidden="true" className="size-8" />
        )}
      </span>
      <div>
        <p className="font-semibold">
          {position === 1
            ? t`You are first in line`
            : position > 0
              ? t`You are number ${position} in line`
              : t`You are in line`}
        </p>
        <p className="mt-0.5 text-sm text-muted">
          {plural(booking.seats, {
            one: 'You wait for # seat. As soon as it is your turn, it is booked for you and you are told.',
            other:
              'You wait for # seats together as one party. As soon as that many are free and it is your turn, they are booked for you and you are told.',
          })}
        </p>
      </div>
    </div>
  );
}
