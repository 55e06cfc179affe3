import { plural, t } from '@lingui/core/macro';
import { useEffect, useState } from 'react';
import { hasCode } from '@/api/problem';
import type { Event } from '@/api/types';
import { explain } from '@/app/explain';
import { countdown } from '@/lib/format';
import { seatSummary } from '@/lib/seatNames';
import type { House } from '@/seatmap/house';
import { ButtonLink } from '@/ui/Button';
import { Notice } from '@/ui/Notice';
import type { BookFlow } from './useBookFlow';
import type { HoldingsControl } from './useHoldings';

/** Why a choice or a booking didn't work, and what one can do about it. */
export function Refusal({
  event,
  house,
  holdings,
  flow,
}: {
  event: Event;
  house: House | null | undefined;
  holdings: HoldingsControl;
  flow: BookFlow;
}) {
  const { lost, lostHeld, refusal } = holdings.state;
  return (
    <>
      {lost.length > 0 ? (
        <Notice
          tone="warn"
          live
          title={
            lostHeld
              ? plural(lost.length, {
                  one: 'A seat is no longer held for you',
                  other: '# seats are no longer held for you',
                })
              : t`Somebody was faster`
          }
        >
          {seatSummary(house, lost)}
        </Notice>
      ) : null}
      {refusal ? (
        <Notice tone="warn" live>
          {holdRefusal(refusal, event, holdings.limit)}
        </Notice>
      ) : null}
      {flow.error && !flow.busy ? <BookingRefusal flow={flow} lost={lost.length > 0} /> : null}
    </>
  );
}

function holdRefusal(code: string, event: Event, holdLimit: number): string {
  switch (code) {
    case 'limit': {
      const most = Math.min(event.max_seats_per_user ?? holdLimit, holdLimit);
      return plural(most, {
        one: 'You can choose # seat at this event.',
        other: 'You can choose up to # seats at this event.',
      });
    }
    case 'waitlist_first':
      return t`Others are waiting in line, so seats can't be picked right now.`;
    // One code for both limits, hence both are named.
    case 'seat_limit':
      return t`That is more than one person may have here. One can also choose seats at no more than three events at a time.`;
    case 'org_suspended':
      return t`The organization of this event is suspended, so nothing can be booked for now.`;
    default:
      return t`Your choice can't be held right now. You can still try to book it.`;
  }
}

function BookingRefusal({ flow, lost }: { flow: BookFlow; lost: boolean }) {
  const wait = useSecondsUntil(flow.retryAt);
  if (hasCode(flow.error, 'duplicate_request')) {
    const booking = flow.error.text('booking_id');
    return (
      <Notice
        tone="accent"
        live
        title={t`You just booked this`}
        action={
          booking ? (
            <ButtonLink to="/bookings/$bookingId" params={{ bookingId: booking }} size="sm" look="secondary">
              {t`See that booking`}
            </ButtonLink>
          ) : null
        }
      >
        {t`The same request came twice within a moment. If you want more seats, try again.`}
      </Notice>
    );
  }
  // Which seats they were is told above already.
  if (hasCode(flow.error, 'seats_unavailable') && lost) return null;
  return (
    <Notice tone={hasCode(flow.error, 'seats_held') ? 'warn' : 'bad'} live>
      {explain(flow.error)}
      {wait > 0 ? (
        <span className="figures block font-semibold">{t`Try again in ${countdown(wait)}`}</span>
      ) : null}
    </Notice>
  );
}

function useSecondsUntil(time: number | null): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (time === null) return undefined;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [time]);
  return time === null ? 0 : Math.max(0, time - now);
}
