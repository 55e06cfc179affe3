import { plural, t } from '@lingui/core/macro';
import { getRouteApi } from '@tanstack/react-router';
import { CalendarHeart, Globe, Mail, MoonStar, Settings2, UsersRound } from 'lucide-react';
import { type ReactNode, useEffect } from 'react';
import { useEventList } from '@/api/events';
import { useMe } from '@/api/me';
import { useOrganization } from '@/api/organizations';
import type { Organization } from '@/api/types';
import { Failure, NotFoundScreen } from '@/app/ErrorScreen';
import { useTitle } from '@/app/title';
import { EventCard } from '@/features/discover/EventCard';
import { Description } from '@/features/event/Description';
import { Badge } from '@/ui/Badge';
import { Button, ButtonLink } from '@/ui/Button';
import { cx } from '@/ui/classes';
import { EmptyState } from '@/ui/EmptyState';
import { Notice } from '@/ui/Notice';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { Band } from './Band';
import { accentStyle } from './colour';
import { rememberOrg } from './current';
import { isId } from './InOrganization';
import { OrgMark } from './OrgMark';
import { atLeast, roleName } from './roles';
import { websiteName } from './website';

const route = getRouteApi('/organizations/$orgId');

/** An organization as everybody may see it, in its own colour. */
export function OrgPage() {
  const { orgId } = route.useParams();
  const known = isId(orgId);
  const { data: org, error, isPending, refetch } = useOrganization(orgId, known);
  if (!known) return <NotFoundScreen />;
  if (isPending) return <PageSkeleton />;
  if (!org) return <Failure page error={error} onRetry={() => void refetch()} />;
  return <Shown key={org.id} org={org} />;
}

function Shown({ org }: { org: Organization }) {
  useTitle(org.name);
  const me = useMe();
  const member = org.my_role !== null;
  useEffect(() => {
    if (me && member) rememberOrg(me.id, org.id);
  }, [me, member, org.id]);
  // Who is no member sees of a suspended one its name and nothing more.
  const closed = org.suspended && !member;
  const about = org.about.trim();
  return (
    <article className="page pt-5 sm:pt-7" style={accentStyle(org.color)}>
      <Band id={org.id} colour={org.color} className="h-32 rounded-2xl sm:h-48" />
      <header className="relative flex flex-col items-start gap-x-5 gap-y-3 px-3 sm:flex-row sm:flex-wrap sm:items-start sm:px-6">
        <OrgMark org={org} className="-mt-10 size-22 shadow-card ring-4 ring-ground sm:-mt-12 sm:size-28" />
        <div className="w-full min-w-0 sm:w-auto sm:flex-1 sm:basis-60 sm:pt-4">
          <h1 className="text-2xl font-bold wrap-anywhere sm:text-3xl">{org.name}</h1>
          <div className="mt-2 flex flex-wrap items-center gap-x-5 gap-y-2 text-sm">
            {org.my_role ? <Badge tone="accent">{roleName(org.my_role)}</Badge> : null}
            <Contact org={org} />
          </div>
        </div>
        <Ways org={org} />
      </header>
      {closed ? (
        <EmptyState icon={MoonStar} title={t`Not available at the moment`} className="mt-4">
          {t`${org.name} and its events can't be seen for now. Bookings that you have stay under “My bookings”.`}
        </EmptyState>
      ) : (
        <>
          {org.suspended ? (
            <Notice tone="warn" className="mt-6" title={t`This organization is suspended`}>
              {t`Members can read everything, and nothing can be booked until the operator opens it again.`}
            </Notice>
          ) : null}
          <div
            className={cx(
              'mt-9 grid items-start gap-x-10 gap-y-10',
              about !== '' && 'lg:grid-cols-[1fr_20rem]',
            )}
          >
            <Upcoming orgId={org.id} wide={about === ''} />
            {about === '' ? null : (
              <section aria-labelledby="about" className="lg:sticky lg:top-24">
                <h2 id="about" className="mb-3 text-xl font-bold">
                  {t`About`}
                </h2>
                <Description text={org.about} />
              </section>
            )}
          </div>
        </>
      )}
    </article>
  );
}

function Contact({ org }: { org: Organization }) {
  return (
    <>
      {org.website ? (
        <Out href={org.website} icon={<Globe />} elsewhere>
          {websiteName(org.website)}
        </Out>
      ) : null}
      {org.contact_email ? (
        <Out href={`mailto:${org.contact_email}`} icon={<Mail />}>
          {org.contact_email}
        </Out>
      ) : null}
    </>
  );
}

function Out({
  href,
  icon,
  elsewhere,
  children,
}: {
  href: string;
  icon: ReactNode;
  elsewhere?: boolean;
  children: string;
}) {
  return (
    <a
      href={href}
      rel="noopener noreferrer nofollow ugc"
      target={elsewhere ? '_blank' : undefined}
      className="inline-flex min-h-8 min-w-0 items-center gap-2 rounded-sm font-semibold wrap-anywhere text-accent-ink underline-offset-4 hover:underline [&>svg]:size-4 [&>svg]:shrink-0"
    >
      {icon}
      {children}
    </a>
  );
}

function Ways({ org }: { org: Organization }) {
  if (!org.my_role) return null;
  return (
    <div className="flex flex-wrap gap-2 sm:pt-5">
      {atLeast(org.my_role, 'organizer') ? (
        <ButtonLink
          to="/manage"
          search={{ org: org.id }}
          look="secondary"
          icon={<Settings2 aria-hidden="true" className="size-4" />}
        >
          {t`Organize`}
        </ButtonLink>
      ) : (
        <ButtonLink
          to="/manage/$orgId/people"
          params={{ orgId: org.id }}
          look="secondary"
          icon={<UsersRound aria-hidden="true" className="size-4" />}
        >
          {t`People`}
        </ButtonLink>
      )}
    </div>
  );
}

function Upcoming({ orgId, wide }: { orgId: string; wide: boolean }) {
  const list = useEventList({ org_id: orgId, status: 'upcoming' });
  const events = list.data?.pages.flatMap((page) => page.items) ?? [];
  const grid = cx('grid gap-3 sm:grid-cols-2 sm:gap-5', wide && 'lg:grid-cols-3');
  return (
    <section aria-labelledby="upcoming" className="min-w-0">
      <h2 id="upcoming" className="mb-4 flex items-baseline gap-3 text-xl font-bold">
        {t`Upcoming events`}
        {events.length > 0 && !list.hasNextPage ? (
          <span className="figures text-sm font-medium text-muted">
            {plural(events.length, { one: '# event', other: '# events' })}
          </span>
        ) : null}
      </h2>
      {list.isPending ? (
        <Loading className={grid}>
          <Skeleton className="h-64 rounded-xl" />
          <Skeleton className="h-64 rounded-xl" />
        </Loading>
      ) : list.isError && events.length === 0 ? (
        <Failure error={list.error} onRetry={() => void list.refetch()} />
      ) : events.length === 0 ? (
        <EmptyState icon={CalendarHeart} title={t`Nothing is planned yet`}>
          {t`New events appear here as soon as they are published.`}
        </EmptyState>
      ) : (
        <ul className={grid} aria-label={t`Events`}>
          {events.map((event) => (
            <EventCard key={event.id} event={event} ofOrganizer />
          ))}
        </ul>
      )}
      {list.hasNextPage ? (
        <div className="mt-6 flex justify-center">
          <Button look="secondary" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {t`Show more events`}
          </Button>
        </div>
      ) : null}
    </section>
  );
}

function PageSkeleton() {
  return (
    <Loading className="page pt-5 sm:pt-7">
      <Skeleton className="h-32 rounded-2xl! sm:h-48" />
      <div className="flex flex-col gap-5 px-3 sm:flex-row sm:items-end sm:px-6">
        <Skeleton className="-mt-10 size-22 rounded-[28%]! ring-4 ring-ground sm:-mt-12 sm:size-28" />
        <Skeleton className="h-9 w-56" />
      </div>
      <div className="mt-9 grid gap-5 sm:grid-cols-2 lg:grid-cols-3">
        <Skeleton className="h-64 rounded-xl" />
        <Skeleton className="h-64 rounded-xl" />
      </div>
    </Loading>
  );
}
