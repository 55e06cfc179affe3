import { plural, t } from '@lingui/core/macro';
import { Link } from '@tanstack/react-router';
import { Building2, CalendarDays, Eye, MapPin, Settings2 } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Event } from '@/api/types';
import { categoryName } from '@/features/discover/categories';
import { longDate, timeRange, viewerTime, zoneName } from '@/lib/format';
import { Badge } from '@/ui/Badge';
import { ButtonLink } from '@/ui/Button';
import { Meter } from '@/ui/Meter';
import { availabilityOf, statusBadge } from './availability';
import { Cover } from './Cover';

/** Cover, name, when, where and by whom. */
export function EventHeader({ event, viewers }: { event: Event; viewers: number | null }) {
  const badge = statusBadge(event.status);
  const availability = availabilityOf(event);
  const own = viewerTime(event.starts_at, event.time_zone);
  return (
    <header className="grid gap-6 md:grid-cols-[minmax(0,22rem)_1fr] md:gap-10">
      <div className="aspect-[2/1] overflow-hidden rounded-2xl shadow-card md:aspect-auto md:min-h-64">
        <Cover id={event.id} category={event.category} />
      </div>
      <div className="min-w-0">
        <p className="flex flex-wrap items-center gap-2">
          <Badge tone="accent">{categoryName(event.category)}</Badge>
          {event.visibility === 'members' ? <Badge>{t`Members only`}</Badge> : null}
          {badge ? <Badge tone={badge.tone}>{badge.label}</Badge> : null}
          {viewers !== null && viewers > 1 ? (
            <Badge icon={<Eye aria-hidden="true" className="size-3.5" />} className="figures">
              {plural(viewers, { one: '# looking now', other: '# looking now' })}
            </Badge>
          ) : null}
        </p>
        <h1 className="mt-3 text-2xl font-bold wrap-anywhere sm:text-3xl">{event.name}</h1>
        <dl className="mt-5 grid gap-3.5">
          <Fact icon={<CalendarDays />} term={t`When`} main={longDate(event.starts_at, event.time_zone)}>
            {timeRange(event.starts_at, event.ends_at, event.time_zone)}{' '}
            {zoneName(event.starts_at, event.time_zone)}
            {own ? ` · ${t`${own} your time`}` : ''}
          </Fact>
          {event.venue ? <Fact icon={<MapPin />} term={t`Where`} main={event.venue} /> : null}
          <Fact
            icon={<Building2 />}
            term={t`Organizer`}
            main={
              <Link
                to="/organizations/$orgId"
                params={{ orgId: event.org_id }}
                className="rounded-sm underline decoration-line-strong underline-offset-4 hover:decoration-current"
              >
                {event.org_name}
              </Link>
            }
          />
        </dl>
        <div className="mt-5 flex flex-wrap items-end justify-between gap-4">
          {event.status === 'upcoming' ? (
            <div className="w-full max-w-sm" aria-live="polite">
              <Meter share={availability.share} tone={availability.tone} />
              <p className="figures mt-2 text-sm font-medium text-muted">{availability.label}</p>
            </div>
          ) : null}
          {event.can_manage ? (
            <ButtonLink
              to="/manage/events/$eventId"
              params={{ eventId: event.id }}
              look="secondary"
              size="sm"
              icon={<Settings2 aria-hidden="true" className="size-4" />}
            >
              {t`Manage`}
            </ButtonLink>
          ) : null}
        </div>
      </div>
    </header>
  );
}

function Fact({
  icon,
  term,
  main,
  children,
}: {
  icon: ReactNode;
  term: string;
  main: ReactNode;
  children?: ReactNode;
}) {
  return (
    <div className="flex items-start gap-3.5">
      <dt>
        <span className="sr-only">{term}</span>
        <span
          aria-hidden="true"
          className="grid size-10 place-items-center rounded-md border border-line bg-surface text-muted [&>svg]:size-5"
        >
          {icon}
        </span>
      </dt>
      <dd className="min-w-0 self-center wrap-anywhere">
        <span className="block font-semibold">{main}</span>
        {children ? <span className="block text-sm text-muted">{children}</span> : null}
      </dd>
    </div>
  );
}
