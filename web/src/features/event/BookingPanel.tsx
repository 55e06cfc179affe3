import { plural, t } from '@lingui/core/macro';
import { Link } from '@tanstack/react-router';
import { Ticket } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { signInUrl } from '@/api/me';
import type { Booking, Event, Me } from '@/api/types';
import { seatSummary } from '@/lib/seatNames';
import type { House } from '@/seatmap/house';
import { Button, buttonClass } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Notice } from '@/ui/Notice';
import { Stepper } from '@/ui/Stepper';
import { BookingResult } from './BookingResult';
import { type Offer, wouldWait } from './booking';
import { Chosen } from './Chosen';
import { Refusal } from './Refusal';
import type { BookFlow } from './useBookFlow';
import type { HoldingsControl } from './useHoldings';

interface Props {
  event: Event;
  house: House | null | undefined;
  me: Me | null | undefined;
  mine: readonly Booking[];
  offer: Offer;
  holdings: HoldingsControl;
  flow: BookFlow;
}

/** Beside the map: what one has, what one can get, and getting it. */
export function BookingPanel({ event, house, me, mine, offer, holdings, flow }: Props) {
  return (
    <Card className="p-5 lg:sticky lg:top-20">
      <div className="space-y-4">
        <Mine bookings={mine} house={house} />
        <Offered
          event={event}
          house={house}
          me={me}
          offer={offer}
          holdings={holdings}
          flow={flow}
          inLine={mine.some((b) => b.status === 'waiting')}
        />
        <Refusal event={event} house={house} holdings={holdings} flow={flow} />
      </div>
      <BookingResult booking={flow.result} event={event} house={house} onClose={flow.dismiss} />
    </Card>
  );
}

function Mine({ bookings, house }: { bookings: readonly Booking[]; house: House | null | undefined }) {
  const live = bookings.filter((b) => b.status !== 'cancelled');
  if (live.length === 0) return null;
  return (
    <ul className="space-y-2" aria-label={t`Your bookings here`}>
      {live.map((booking) => {
        const position = booking.position ?? 0;
        return (
          <li key={booking.id}>
            <Link
              to="/bookings/$bookingId"
              params={{ bookingId: booking.id }}
              className="flex items-start gap-3 rounded-lg bg-accent-soft px-4 py-3 text-sm text-accent-ink hover:brightness-[0.98]"
            >
              <Ticket aria-hidden="true" className="mt-0.5 size-4.5 shrink-0" />
              <span aria-live="polite">
                <span className="block font-semibold">
                  {booking.status === 'confirmed'
                    ? plural(booking.seats, { one: 'You have # seat', other: 'You have # seats' })
                    : t`You are number ${position} in line`}
                </span>
                <span className="block text-ink/80">
                  {booking.status === 'confirmed'
                    ? seatSummary(house, booking.seat_numbers)
                    : plural(booking.seats, {
                        one: 'waiting for # seat',
                        other: 'waiting for # seats together',
                      })}
                </span>
              </span>
            </Link>
          </li>
        );
      })}
    </ul>
  );
}

function Offered({
  event,
  house,
  me,
  offer,
  holdings,
  flow,
  inLine,
}: Omit<Props, 'mine'> & { inLine: boolean }) {
  const [again, setAgain] = useState(false);
  if (offer.kind === 'closed') return <Closed why={offer.why} />;
  if (offer.kind === 'full') return <Full none={offer.none} />;
  if (me === undefined) return null;
  if (me === null) {
    return (
      <div>
        <Title>{offer.kind === 'wait' ? t`Join the waitlist` : t`Get your seats`}</Title>
        <p className="mt-1 mb-4 text-sm text-muted">{t`Sign in to choose seats. You come back right here.`}</p>
        <a href={signInUrl()} className={buttonClass('primary', 'lg', 'w-full')}>
          {t`Sign in to book`}
        </a>
      </div>
    );
  }
  if (offer.kind === 'limit') {
    return (
      <p className="text-sm text-muted">
        {plural(offer.most, {
          one: 'One person may have # seat at this event, and you have it.',
          other: 'One person may have # seats at this event, and you have as many.',
        })}
      </p>
    );
  }
  if (offer.kind === 'book' && holdings.state.wanted.length > 0)
    return <Chosen house={house} holdings={holdings} flow={flow} />;
  if (offer.kind === 'wait' && inLine && !again) {
    return (
      <Button look="secondary" className="w-full" onClick={() => setAgain(true)}>
        {t`Wait for more seats`}
      </Button>
    );
  }
  return <ByNumber event={event} offer={offer} flow={flow} />;
}

function Title({ children }: { children: ReactNode }) {
  return <h3 className="text-lg font-semibold">{children}</h3>;
}

function Closed({ why }: { why: (Offer & { kind: 'closed' })['why'] }) {
  if (why === 'suspended') {
    return (
      <Notice tone="warn" title={t`Nothing can be booked for now`}>
        {t`The organization of this event is suspended until the operator opens it again. What you have booked stays yours, and you can cancel it.`}
      </Notice>
    );
  }
  if (why === 'cancelled') {
    return (
      <Notice tone="bad" title={t`This event is cancelled`}>{t`Nothing can be booked any more.`}</Notice>
    );
  }
  return (
    <Notice title={why === 'ongoing' ? t`It is happening right now` : t`This event is over`}>
      {t`Booking has ended.`}
    </Notice>
  );
}

function Full({ none }: { none: boolean }) {
  return (
    <Notice title={none ? t`Sold out` : t`Sold out, and the waitlist is full`}>
      {none
        ? t`This event has no waitlist. Seats that people give back can be booked at once.`
        : t`As soon as somebody leaves the waitlist you can join it.`}
    </Notice>
  );
}

function ByNumber({
  event,
  offer,
  flow,
}: {
  event: Event;
  offer: Offer & { kind: 'book' | 'wait' };
  flow: BookFlow;
}) {
  const [wanted, setWanted] = useState<number | null>(null);
  // Until one says otherwise: two, or what can be had at once.
  const usual = offer.kind === 'book' ? Math.min(2, event.available_slots) : 2;
  const seats = Math.min(wanted ?? usual, offer.most);
  const waits = wouldWait(event, offer, seats);
  const change = (next: number) => {
    setWanted(next);
    flow.reset();
  };
  return (
    <div>
      <Title>{waits ? t`Join the waitlist` : t`Get your seats`}</Title>
      <p className="mt-1 text-sm text-muted">
        {waits
          ? waitReason(event, offer, seats)
          : t`Pick seats on the map, or say how many and get the best ones together.`}
      </p>
      <div className="mt-4 flex items-center justify-between gap-3">
        <span className="text-sm font-semibold">{t`How many?`}</span>
        <Stepper label={t`Number of seats`} value={seats} min={1} max={offer.most} onChange={change} />
      </div>
      {waits ? <LineFacts event={event} seats={seats} /> : null}
      <Button size="lg" className="mt-4 w-full" busy={flow.busy} onClick={() => flow.book(seats)}>
        {waits
          ? plural(seats, { one: 'Join as a party of #', other: 'Join as a party of #' })
          : plural(seats, { one: 'Book the best seat', other: 'Book # best seats' })}
      </Button>
    </div>
  );
}

function waitReason(event: Event, offer: Offer, seats: number): string {
  if (offer.kind === 'wait' && offer.why === 'line') {
    return t`Seats are going to those who wait already, in order. You can join them.`;
  }
  if (offer.kind === 'wait')
    return t`All seats are sold. When some come back, they go to the waitlist in order.`;
  const left = event.available_slots;
  return plural(left, {
    one: `Only # seat is left, so a party of ${seats} waits until enough come back.`,
    other: `Only # seats are left, so a party of ${seats} waits until enough come back.`,
  });
}

function LineFacts({ event, seats }: { event: Event; seats: number }) {
  const ahead = event.waiting_parties;
  return (
    <ul className="mt-4 list-disc space-y-1 rounded-lg bg-warn-soft py-3 pr-4 pl-8 text-sm text-warn">
      <li>
        {plural(ahead, {
          0: 'Nobody is ahead of you.',
          one: '# party is ahead of you.',
          other: '# parties are ahead of you.',
        })}
      </li>
      {seats > 1 ? (
        <li>{t`Your party stays together: all ${seats} seats at once, or you wait on.`}</li>
      ) : null}
      <li>{t`When it is your turn, the seats are booked for you and you are told.`}</li>
    </ul>
  );
}
