import { plural, t } from '@lingui/core/macro';
import { getRouteApi, Link } from '@tanstack/react-router';
import { CalendarPlus, EyeOff, Plus } from 'lucide-react';
import { useState } from 'react';
import { useEventList } from '@/api/events';
import { runs } from '@/api/me';
import { useOrganization } from '@/api/organizations';
import type { Event, Me } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { useTitle } from '@/app/title';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { availabilityOf, statusBadge } from '@/features/event/availability';
import { DateBlock } from '@/features/event/DateBlock';
import { type Membership, useCurrentOrg } from '@/features/organization/current';
import { Gate } from '@/features/organization/InOrganization';
import { count, startLine } from '@/lib/format';
import { Badge } from '@/ui/Badge';
import { Button, ButtonLink } from '@/ui/Button';
import { EmptyState } from '@/ui/EmptyState';
import { Meter } from '@/ui/Meter';
import { Segmented } from '@/ui/Segmented';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { CreateOrganization } from './CreateOrganization';
import { OrgFrame } from './OrgFrame';

const route = getRouteApi('/manage');

/** The organizer's events, organization by organization. */
export function ManagePage() {
  return <RequireSignIn>{(me) => <Manage me={me} />}</RequireSignIn>;
}

function Manage({ me }: { me: Me }) {
  const orgs = runs(me);
  const wanted = route.useSearch().org;
  const remembered = useCurrentOrg(me);
  const orgId = wanted ?? orgs.find((org) => org.id === remembered?.id)?.id ?? orgs[0]?.id;
  if (orgId === undefined) return <CreateOrganization />;
  return (
    <Gate me={me} orgId={orgId} section="events">
      {(_, org) => <Events org={org} />}
    </Gate>
  );
}

function Events({ org }: { org: Membership }) {
  useTitle(t`Events of ${org.name}`);
  const closed = useOrganization(org.id).data?.suspended ?? false;
  return (
    <OrgFrame
      org={org}
      section="events"
      actions={
        closed ? null : (
          <ButtonLink
            to="/manage/new"
            search={{ org: org.id }}
            icon={<Plus aria-hidden="true" className="size-4" />}
          >
            {t`New event`}
          </ButtonLink>
        )
      }
    >
      <EventTable key={org.id} orgId={org.id} closed={closed} />
    </OrgFrame>
  );
}

type Show = 'upcoming' | 'ongoing' | 'completed' | 'cancelled';

function EventTable({ orgId, closed }: { orgId: string; closed: boolean }) {
  const [show, setShow] = useState<Show>('upcoming');
  const list = useEventList({ org_id: orgId, status: show });
  const events = list.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <div className="-mx-4 overflow-x-auto px-4 sm:mx-0 sm:px-0">
        <Segmented
          label={t`Show`}
          value={show}
          onChange={setShow}
          options={[
            { value: 'upcoming', label: t`Upcoming` },
            { value: 'ongoing', label: t`Now` },
            { value: 'completed', label: t`Over` },
            { value: 'cancelled', label: t`Cancelled` },
          ]}
        />
      </div>
      <div className="mt-4">
        {list.isPending ? (
          <Loading className="space-y-3">
            <Skeleton className="h-20 rounded-xl" />
            <Skeleton className="h-20 rounded-xl" />
          </Loading>
        ) : list.isError && events.length === 0 ? (
          <Failure error={list.error} onRetry={() => void list.refetch()} />
        ) : events.length === 0 ? (
          <EmptyState
            icon={CalendarPlus}
            title={nothing(show).title}
            action={
              show === 'upcoming' && !closed ? (
                <ButtonLink to="/manage/new" search={{ org: orgId }}>{t`Create an event`}</ButtonLink>
              ) : undefined
            }
          >
            {show === 'upcoming' && closed ? null : nothing(show).text}
          </EmptyState>
        ) : (
          <ul className="space-y-3" aria-label={t`Events`} aria-busy={list.isPlaceholderData}>
            {events.map((event) => (
              <EventRow key={event.id} event={event} />
            ))}
          </ul>
        )}
        {list.hasNextPage ? (
          <div className="mt-6 flex justify-center">
            <Button look="secondary" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
              {t`Show more`}
            </Button>
          </div>
        ) : null}
      </div>
    </>
  );
}

function nothing(show: Show): { title: string; text: string } {
  switch (show) {
    case 'upcoming':
      return {
        title: t`No upcoming events`,
        text: t`A name, a date and a number of seats are enough to start.`,
      };
    case 'ongoing':
      return {
        title: t`Nothing is on right now`,
        text: t`From its start to its end an event is listed here.`,
      };
    case 'completed':
      return {
        title: t`No event is over yet`,
        text: t`Events that are over stay here, with everybody who had seats.`,
      };
    case 'cancelled':
      return {
        title: t`No event was cancelled`,
        text: t`Events that are cancelled stay here, with everybody who had booked.`,
      };
  }
}

function EventRow({ event }: { event: Event }) {
  const availability = availabilityOf(event);
  const badge = statusBadge(event.status);
  // What is not free may be sold or off sale.
  const free = count(event.available_slots);
  const total = count(event.total_slots);
  return (
    <li className="relative flex flex-wrap items-center gap-x-5 gap-y-3 rounded-xl border border-line bg-surface p-4 shadow-card transition-shadow hover:shadow-float">
      <DateBlock iso={event.starts_at} zone={event.time_zone} />
      <div className="min-w-0 flex-1 basis-48">
        <h2 className="line-clamp-2 font-semibold wrap-anywhere">
          <Link
            to="/manage/events/$eventId"
            params={{ eventId: event.id }}
            className="after:absolute after:inset-0 after:rounded-xl focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-accent-ink"
          >
            {event.name}
          </Link>
        </h2>
        <p className="text-sm wrap-anywhere text-muted">
          {startLine(event.starts_at, event.time_zone)}
          {event.venue ? ` · ${event.venue}` : ''}
        </p>
      </div>
      <div className="flex items-center gap-2">
        {event.visibility === 'members' ? (
          <Badge icon={<EyeOff aria-hidden="true" className="size-3" />}>{t`Members only`}</Badge>
        ) : null}
        {badge ? <Badge tone={badge.tone}>{badge.label}</Badge> : null}
        {event.waiting_parties > 0 ? (
          <Badge tone="warn">{plural(event.waiting_parties, { one: '# waiting', other: '# waiting' })}</Badge>
        ) : null}
      </div>
      <div className="w-full sm:w-44">
        <Meter share={availability.share} tone={availability.tone} />
        <p className="figures mt-1.5 text-xs font-medium text-muted">{t`${free} of ${total} free`}</p>
      </div>
    </li>
  );
}
