import { plural, t } from '@lingui/core/macro';
import {
  CircleDot,
  Hourglass,
  type LucideIcon,
  PartyPopper,
  Pencil,
  Ticket,
  TicketMinus,
  TicketX,
} from 'lucide-react';
import { useBookingHistory } from '@/api/bookings';
import type { HistoryEntry } from '@/api/types';
import { explain } from '@/app/explain';
import { moment } from '@/lib/format';
import { seatSummary } from '@/lib/seatNames';
import { Card } from '@/ui/Card';
import { Notice } from '@/ui/Notice';
import { Loading, Skeleton } from '@/ui/Skeleton';

/** Everything that ever happened to a booking, newest first. */
export function HistoryTimeline({ bookingId }: { bookingId: string }) {
  const { data, isPending, error } = useBookingHistory(bookingId);
  const entries = [...(data?.items ?? [])].sort(
    (a, b) => Date.parse(b.created_at) - Date.parse(a.created_at),
  );
  return (
    <Card className="h-fit p-6">
      <h2 className="mb-4 font-semibold">{t`History`}</h2>
      {isPending ? (
        <Loading className="space-y-4">
          <Skeleton className="h-10" />
          <Skeleton className="h-10" />
        </Loading>
      ) : error ? (
        <Notice tone="bad">{explain(error)}</Notice>
      ) : (
        <ol className="relative space-y-5 before:absolute before:top-3 before:bottom-3 before:left-[1.05rem] before:w-px before:bg-line">
          {entries.map((entry) => (
            <Entry key={entry.id} entry={entry} />
          ))}
        </ol>
      )}
    </Card>
  );
}

function Entry({ entry }: { entry: HistoryEntry }) {
  const { icon: Icon, title } = describe(entry);
  const seats = seatSummary(entry.seat_numbers);
  const actor = actorName(entry.actor);
  return (
    <li className="relative flex gap-3.5">
      <span className="z-[1] grid size-[2.1rem] shrink-0 place-items-center rounded-full border border-line bg-surface text-muted">
        <Icon aria-hidden="true" className="size-4" />
      </span>
      <div className="min-w-0 pt-1 text-sm">
        <p className="font-semibold">{title}</p>
        {seats ? <p className="text-ink/85">{seats}</p> : null}
        <p className="mt-0.5 text-muted">
          <time dateTime={entry.created_at}>{moment(entry.created_at)}</time> · {actor}
        </p>
      </div>
    </li>
  );
}

function describe(entry: HistoryEntry): { icon: LucideIcon; title: string } {
  const n = entry.seats;
  const place = entry.waiting_number ?? 0;
  switch (entry.action) {
    case 'confirmed':
      return { icon: Ticket, title: plural(n, { one: '# seat booked', other: '# seats booked' }) };
    case 'waitlisted':
      return { icon: Hourglass, title: t`Joined the waitlist with number ${place}` };
    case 'promoted':
      return { icon: PartyPopper, title: t`Promoted from the waitlist` };
    case 'seats_cancelled':
      return { icon: TicketMinus, title: t`Some seats cancelled` };
    case 'resized':
      return {
        icon: Pencil,
        title: plural(n, { one: 'Party changed to # seat', other: 'Party changed to # seats' }),
      };
    case 'cancelled':
      return { icon: TicketX, title: t`Cancelled` };
    default:
      return { icon: CircleDot, title: t`Changed` };
  }
}

function actorName(actor: HistoryEntry['actor']): string {
  if (actor === 'you') return t`by you`;
  return actor === 'organizer' ? t`by the organizer` : t`by itself`;
}
