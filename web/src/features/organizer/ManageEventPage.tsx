import { plural, t } from '@lingui/core/macro';
import { useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { ExternalLink, LayoutGrid, Pencil } from 'lucide-react';
import { useRef, useState } from 'react';
import { useEventAudit } from '@/api/audit';
import { useEventBookings, useWaitlist } from '@/api/events';
import { type Housed, useHouse } from '@/api/houses';
import { keys } from '@/api/keys';
import type { Event } from '@/api/types';
import { useTitle } from '@/app/title';
import { statusBadge } from '@/features/event/availability';
import { useSeats } from '@/features/event/useSeats';
import { InEvent } from '@/features/organization/InEvent';
import { count, longDate, timeRange, zoneName } from '@/lib/format';
import { useEventChannel } from '@/realtime/hooks';
import { availableSeats, SeatState } from '@/seatmap';
import { Badge } from '@/ui/Badge';
import { ButtonLink } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Notice } from '@/ui/Notice';
import { BackLink, PageHeader } from '@/ui/PageHeader';
import { Tabs } from '@/ui/Tabs';
import { AuditList } from './AuditList';
import { BookForSomebody } from './BookForSomebody';
import { BookingTable } from './BookingTable';
import { EventActions } from './EventActions';

const route = getRouteApi('/manage/events/$eventId');

/** An event as its organizer sees it: figures, bookings and waitlist, live. */
export function ManageEventPage() {
  const { eventId } = route.useParams();
  return <InEvent id={eventId}>{(event) => <Manage key={event.id} event={event} />}</InEvent>;
}

const REFRESH_PAUSE_MS = 1500;

// During a rush sales are told every second; the lists follow a little slower,
// so that watching a sale doesn't burden it.
function useLiveSales(eventId: string): number | null {
  const cache = useQueryClient();
  const [viewers, setViewers] = useState<number | null>(null);
  const pending = useRef(false);
  const refresh = () => {
    if (pending.current) return;
    pending.current = true;
    setTimeout(() => {
      pending.current = false;
      void cache.invalidateQueries({ queryKey: keys.events.one(eventId) });
    }, REFRESH_PAUSE_MS);
  };
  useEventChannel(eventId, {
    onViewers: setViewers,
    onEvent: refresh,
    onFresh: refresh,
    onEnded: refresh,
    onSales: ({ available, waiting }) => {
      cache.setQueryData<Event>(keys.events.one(eventId), (event) =>
        event ? { ...event, available_slots: available, waiting_parties: waiting } : event,
      );
      refresh();
    },
  });
  return viewers;
}

function Manage({ event }: { event: Event }) {
  const viewers = useLiveSales(event.id);
  useTitle(t`Manage ${event.name}`);
  const [tab, setTab] = useState<'bookings' | 'waitlist' | 'cancelled' | 'record'>('bookings');
  const badge = statusBadge(event.status);
  const range = timeRange(event.starts_at, event.ends_at, event.time_zone);
  return (
    <div className="page">
      <PageHeader
        back={
          <BackLink to="/manage" search={{ org: event.org_id }}>
            {event.org_name}
          </BackLink>
        }
        title={
          <span className="flex flex-wrap items-center gap-3">
            {event.name}
            {badge ? <Badge tone={badge.tone}>{badge.label}</Badge> : null}
            {event.visibility === 'members' ? <Badge>{t`Members only`}</Badge> : null}
          </span>
        }
        lead={
          <>
            {longDate(event.starts_at, event.time_zone)}, {range} {zoneName(event.starts_at, event.time_zone)}
            {event.venue ? ` · ${event.venue}` : ''}
          </>
        }
        actions={
          <>
            <ButtonLink
              to="/events/$eventId"
              params={{ eventId: event.id }}
              look="secondary"
              icon={<ExternalLink aria-hidden="true" className="size-4" />}
            >
              {t`Public page`}
            </ButtonLink>
            {event.status === 'cancelled' ? null : (
              <ButtonLink
                to="/manage/events/$eventId/edit"
                params={{ eventId: event.id }}
                icon={<Pencil aria-hidden="true" className="size-4" />}
              >
                {t`Edit`}
              </ButtonLink>
            )}
            {event.status === 'cancelled' ? null : (
              <ButtonLink
                to="/manage/events/$eventId/seats"
                params={{ eventId: event.id }}
                look="secondary"
                icon={<LayoutGrid aria-hidden="true" className="size-4" />}
              >
                {t`Seats`}
              </ButtonLink>
            )}
            <BookForSomebody event={event} />
            <EventActions event={event} />
          </>
        }
      />
      <Figures event={event} viewers={viewers} />
      <BlockingHead event={event} />
      <div className="mt-8">
        <Tabs
          label={t`Bookings, waitlist and record`}
          value={tab}
          onChange={setTab}
          items={[
            { key: 'bookings', label: t`Bookings`, content: <Confirmed event={event} /> },
            {
              key: 'waitlist',
              label: event.waiting_parties > 0 ? t`Waitlist (${event.waiting_parties})` : t`Waitlist`,
              content: <Waiting event={event} />,
            },
            { key: 'cancelled', label: t`Cancelled`, content: <Cancelled event={event} /> },
            { key: 'record', label: t`Record`, content: <EventRecord event={event} /> },
          ]}
        />
      </div>
    </div>
  );
}

function Figures({ event, viewers }: { event: Event; viewers: number | null }) {
  // Seats off sale are neither free nor sold, and the event alone doesn't tell how many they are.
  const { seats } = useSeats(event.id, event.total_slots);
  const sold = seats?.counts[SeatState.booked];
  const off = seats?.counts[SeatState.blocked] ?? 0;
  const percent = sold === undefined ? 0 : Math.floor((sold / event.total_slots) * 100);
  const figures = [
    {
      label: t`Seats sold`,
      value: sold === undefined ? '–' : count(sold),
      note: sold === undefined ? null : t`${percent} % of ${count(event.total_slots)}`,
    },
    {
      label: t`Seats free`,
      value: count(seats ? availableSeats(seats) : event.available_slots),
      note: off > 0 ? plural(off, { one: '# more off sale', other: '# more off sale' }) : null,
    },
    {
      label: t`Parties waiting`,
      value: count(event.waiting_parties),
      note: event.waitlist_policy === 'strict' ? t`strict order` : t`first that fits`,
    },
    { label: t`Looking right now`, value: viewers === null ? '–' : count(viewers), note: null },
  ];
  return (
    <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      {figures.map(({ label, value, note }) => (
        <Card key={label} className="p-4 sm:p-5">
          <dt className="text-sm font-medium text-muted">{label}</dt>
          <dd className="mt-1">
            <span className="figures block text-2xl font-bold">{value}</span>
            <span className="block min-h-5 text-sm text-muted">{note}</span>
          </dd>
        </Card>
      ))}
    </dl>
  );
}

// Under strict order a big party at the head keeps everyone behind it waiting
// although seats are free; only the organizer can judge whether that is wanted.
function BlockingHead({ event }: { event: Event }) {
  const waitlist = useWaitlist(event.id);
  const head = waitlist.data?.pages[0]?.items[0];
  const free = event.available_slots;
  if (event.status !== 'upcoming' || event.waitlist_policy !== 'strict' || !head || free === 0) return null;
  if (head.seats <= free) return null;
  const behind = event.waiting_parties - 1;
  const needs = head.seats;
  return (
    <Notice
      tone="warn"
      className="mt-4"
      title={plural(free, {
        one: `The first in line needs ${needs} seats, and # is free`,
        other: `The first in line needs ${needs} seats, and # are free`,
      })}
    >
      {behind > 0
        ? plural(behind, {
            one: 'Strict order lets nobody pass, so # more party waits behind it. You can switch to “first that fits” in the event’s settings.',
            other:
              'Strict order lets nobody pass, so # more parties wait behind it. You can switch to “first that fits” in the event’s settings.',
          })
        : t`Strict order lets nobody pass. You can switch to “first that fits” in the event’s settings.`}
    </Notice>
  );
}

function Confirmed({ event }: { event: Housed }) {
  return (
    <BookingTable list={useEventBookings(event.id, 'confirmed')} kind="confirmed" house={useHouse(event)} />
  );
}

function Waiting({ event }: { event: Housed }) {
  return <BookingTable list={useWaitlist(event.id)} kind="waiting" house={useHouse(event)} />;
}

function Cancelled({ event }: { event: Housed }) {
  return (
    <BookingTable list={useEventBookings(event.id, 'cancelled')} kind="cancelled" house={useHouse(event)} />
  );
}

function EventRecord({ event }: { event: Housed }) {
  return <AuditList list={useEventAudit(event.id)} house={useHouse(event)} />;
}
