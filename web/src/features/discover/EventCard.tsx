import { Link } from '@tanstack/react-router';
import { Clock, MapPin } from 'lucide-react';
import type { Event } from '@/api/types';
import { availabilityOf, statusBadge } from '@/features/event/availability';
import { Cover } from '@/features/event/Cover';
import { DateBlock } from '@/features/event/DateBlock';
import { dateBlock, shortDate, timeOfDay, zoneName } from '@/lib/format';
import { Badge } from '@/ui/Badge';
import { Meter } from '@/ui/Meter';
import { categoryName } from './categories';

/** An event in the list; the whole card but its organizer's name leads to it. On a phone it lies down. */
export function EventCard({
  event,
  ofOrganizer,
}: {
  event: Event;
  /** It stands on its organizer's own page, below a heading. */
  ofOrganizer?: boolean;
}) {
  const Name = ofOrganizer ? 'h3' : 'h2';
  const availability = availabilityOf(event);
  const status = statusBadge(event.status);
  return (
    <li className="group relative flex overflow-hidden rounded-xl border border-line bg-surface shadow-card transition-[box-shadow,translate] duration-200 focus-within:shadow-float hover:-translate-y-0.5 hover:shadow-float sm:flex-col">
      <div className="relative w-24 shrink-0 overflow-hidden sm:aspect-[2/1] sm:w-full">
        <Cover
          id={event.id}
          category={event.category}
          className="transition-transform duration-500 group-hover:scale-[1.03]"
        />
        <span className="absolute top-3 left-3 hidden gap-1.5 sm:flex">
          <Badge className="bg-surface! text-ink!">{categoryName(event.category)}</Badge>
          {status ? <Badge tone={status.tone}>{status.label}</Badge> : null}
        </span>
      </div>
      <div className="flex min-w-0 flex-1 flex-col gap-3 p-4">
        <div className="flex gap-3.5">
          <DateBlock iso={event.starts_at} zone={event.time_zone} className="mt-0.5 hidden sm:flex" />
          <div className="min-w-0 flex-1">
            <Name className="line-clamp-2 text-base leading-snug font-semibold">
              <Link
                to="/events/$eventId"
                params={{ eventId: event.id }}
                className="after:absolute after:inset-0 after:rounded-xl focus-visible:outline-none focus-visible:after:outline-2 focus-visible:after:outline-accent-ink"
              >
                {event.name}
              </Link>
            </Name>
            {ofOrganizer ? null : (
              <p className="mt-1 truncate text-sm text-muted">
                <Link
                  to="/organizations/$orgId"
                  params={{ orgId: event.org_id }}
                  className="relative z-10 rounded-sm underline-offset-4 hover:text-ink hover:underline"
                >
                  {event.org_name}
                </Link>
              </p>
            )}
          </div>
        </div>
        <div className="space-y-1 text-sm text-muted">
          <p className="flex items-start gap-2">
            <Clock aria-hidden="true" className="mt-0.5 size-4 shrink-0" />
            <time dateTime={event.starts_at}>
              <span className="sm:hidden">{shortDate(event.starts_at, event.time_zone)}, </span>
              <span className="hidden sm:inline">
                {dateBlock(event.starts_at, event.time_zone).weekday},{' '}
              </span>
              <span className="whitespace-nowrap">
                {timeOfDay(event.starts_at, event.time_zone)} {zoneName(event.starts_at, event.time_zone)}
              </span>
            </time>
          </p>
          {event.venue ? (
            <p className="flex items-center gap-2">
              <MapPin aria-hidden="true" className="size-4 shrink-0" />
              <span className="truncate">{event.venue}</span>
            </p>
          ) : null}
        </div>
        <div className="mt-auto">
          {event.status === 'upcoming' ? (
            <>
              <Meter share={availability.share} tone={availability.tone} />
              <p className="figures mt-1.5 text-xs font-medium text-muted">{availability.label}</p>
            </>
          ) : status ? (
            <Badge tone={status.tone} className="sm:hidden">
              {status.label}
            </Badge>
          ) : null}
        </div>
      </div>
    </li>
  );
}
