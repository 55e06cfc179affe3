import { plural, t } from '@lingui/core/macro';
import {
  Armchair,
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
import type { House } from '@/seatmap/house';
import { Card } from '@/ui/Card';
import { Notice } from '@/ui/Notice';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { cancelReason } from './status';

/** Everything that ever happened to a booking, newest first. */
export function HistoryTimeline({
  bookingId,
  house,
}: {
  bookingId: string;
  house: House | null | undefined;
}) {
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
            <Entry key={entry.id} entry={entry} house={house} />
          ))}
        </ol>
      )}
    </Card>
  );
}

function Entry({ entry, house }: { entry: HistoryEntry; house: House | null | undefined }) {
  const { icon: Icon, title, text } = describe(entry, house);
  const actor = actorName(entry.actor);
  return (
    <li className="relative flex gap-3.5">
      <span className="z-[1] grid size-[2.1rem] shrink-0 place-items-center rounded-full border border-line bg-surface text-muted">
        <Icon aria-hidden="true" className="size-4" />
      </span>
      <div className="min-w-0 pt-1 text-sm">
        <p className="font-semibold">{title}</p>
        {text ? <p className="text-ink/85">{text}</p> : null}
        <p className="mt-0.5 text-muted">
          <time dateTime={entry.created_at}>{moment(entry.created_at)}</time> · {actor}
        </p>
      </div>
    </li>
  );
}

interface Told {
  icon: LucideIcon;
  title: string;
  text: string | null;
}

function describe(entry: HistoryEntry, house: House | null | undefined): Told {
  const n = entry.seats;
  const place = entry.waiting_number ?? 0;
  const seats = seatSummary(house, entry.seat_numbers);
  const before = entry.details.seat_numbers_before ?? [];
  switch (entry.action) {
    case 'confirmed':
      return {
        icon: Ticket,
        title: plural(n, { one: '# seat booked', other: '# seats booked' }),
        text: seats,
      };
    case 'waitlisted':
      return {
        icon: Hourglass,
        title: t`Joined the waitlist with number ${place}`,
        text: plural(n, { one: 'For # seat', other: 'For # seats together' }),
      };
    case 'promoted':
      return { icon: PartyPopper, title: t`Promoted from the waitlist`, text: seats };
    case 'seats_cancelled': {
      const given = before.filter((seat) => !entry.seat_numbers.includes(seat));
      const back = seatSummary(house, given);
      return {
        icon: TicketMinus,
        title: plural(given.length, { one: '# seat given back', other: '# seats given back' }),
        text: t`${back} · kept ${seats}`,
      };
    }
    case 'moved': {
      const left = seatSummary(house, before);
      return { icon: Armchair, title: t`Moved to other seats`, text: t`${seats} instead of ${left}` };
    }
    case 'resized':
      return {
        icon: Pencil,
        title: plural(n, { one: 'Party changed to # seat', other: 'Party changed to # seats' }),
        text: null,
      };
    case 'cancelled':
      return {
        icon: TicketX,
        title: t`Cancelled`,
        text: cancelReason(entry.details.reason) ?? seatSummary(house, before),
      };
    default:
      return { icon: CircleDot, title: t`Changed`, text: seats };
  }
}

function actorName(actor: HistoryEntry['actor']): string {
  switch (actor) {
    case 'you':
      return t`by you`;
    case 'organizer':
      return t`by the organizer`;
    case 'booker':
      return t`by the booker`;
    default:
      return t`by itself`;
  }
}
