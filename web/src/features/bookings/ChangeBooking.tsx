import { plural, t } from '@lingui/core/macro';
import { useState } from 'react';
import { useCancelBooking, useCancelSeats } from '@/api/bookings';
import { isDefinite } from '@/api/problem';
import type { Booking } from '@/api/types';
import { explain } from '@/app/explain';
import { useIntents } from '@/lib/intent';
import { seatLabel } from '@/lib/seatNames';
import type { House } from '@/seatmap/house';
import { Button } from '@/ui/Button';
import { Confirm, Dialog } from '@/ui/Dialog';
import { toast } from '@/ui/toast';

/** Giving back seats or the whole booking, while that is still possible. */
export function ChangeBooking({ booking, house }: { booking: Booking; house: House | null | undefined }) {
  const [asking, setAsking] = useState<'all' | 'some' | null>(null);
  if (booking.status === 'cancelled' || booking.event?.status !== 'upcoming') return null;
  const waiting = booking.status === 'waiting';
  const close = () => setAsking(null);
  return (
    <div className="flex flex-wrap gap-2">
      {!waiting && booking.seats > 1 ? (
        <Button look="secondary" onClick={() => setAsking('some')}>
          {t`Give back some seats`}
        </Button>
      ) : null}
      <Button look="ghost" className="text-bad! hover:bg-bad-soft!" onClick={() => setAsking('all')}>
        {waiting ? t`Leave the waitlist` : t`Cancel booking`}
      </Button>
      <CancelAll booking={booking} open={asking === 'all'} onClose={close} />
      {asking === 'some' ? <CancelSome booking={booking} house={house} onClose={close} /> : null}
    </div>
  );
}

function CancelAll({ booking, open, onClose }: { booking: Booking; open: boolean; onClose: () => void }) {
  const cancel = useCancelBooking();
  const intents = useIntents();
  const waiting = booking.status === 'waiting';
  const confirm = () =>
    cancel.mutate(
      { id: booking.id, idempotencyKey: intents.keyFor(['cancel', booking.id]) },
      {
        onSuccess: () => {
          intents.settle();
          onClose();
          toast('good', waiting ? t`You left the waitlist` : t`Your booking is cancelled`);
        },
        onError: (error) => {
          if (isDefinite(error)) intents.settle();
          toast('bad', t`Not cancelled`, explain(error));
        },
      },
    );
  return (
    <Confirm
      open={open}
      onOpenChange={(next) => !next && onClose()}
      title={waiting ? t`Leave the waitlist?` : t`Cancel this booking?`}
      action={waiting ? t`Leave the waitlist` : t`Cancel booking`}
      keep={waiting ? t`Stay in line` : t`Keep my seats`}
      busy={cancel.isPending}
      onConfirm={confirm}
    >
      {waiting
        ? t`You lose your place in line. If you join again, you start at its end.`
        : plural(booking.seats, {
            one: 'Your seat goes to the next in line, or back on sale. This cannot be undone.',
            other: 'Your # seats go to the next in line, or back on sale. This cannot be undone.',
          })}
    </Confirm>
  );
}

function CancelSome({
  booking,
  house,
  onClose,
}: {
  booking: Booking;
  house: House | null | undefined;
  onClose: () => void;
}) {
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const cancel = useCancelSeats();
  const intents = useIntents();
  const seats = [...chosen].sort((a, b) => a - b);
  const toggle = (seat: number) => {
    const next = new Set(chosen);
    if (!next.delete(seat)) next.add(seat);
    setChosen(next);
  };
  const confirm = () =>
    cancel.mutate(
      {
        id: booking.id,
        seatNumbers: seats,
        idempotencyKey: intents.keyFor([booking.id, seats]),
      },
      {
        onSuccess: () => {
          onClose();
          toast('good', plural(seats.length, { one: '# seat given back', other: '# seats given back' }));
        },
        onError: (error) => {
          if (isDefinite(error)) intents.settle();
          toast('bad', t`Nothing was given back`, explain(error));
        },
      },
    );
  const all = chosen.size === booking.seat_numbers.length;
  return (
    <Dialog
      open
      onOpenChange={(next) => !next && onClose()}
      title={t`Give back some seats`}
      description={t`Choose the seats that you don't need. They go to the next in line, or back on sale.`}
      footer={
        <>
          <Button look="secondary" onClick={onClose}>{t`Keep all`}</Button>
          <Button look="danger" disabled={chosen.size === 0} busy={cancel.isPending} onClick={confirm}>
            {all
              ? t`Cancel whole booking`
              : plural(chosen.size, { 0: 'Give back', one: 'Give back # seat', other: 'Give back # seats' })}
          </Button>
        </>
      }
    >
      <fieldset>
        <legend className="sr-only">{t`Seats to give back`}</legend>
        <ul className="space-y-1.5">
          {booking.seat_numbers.map((seat) => (
            <li key={seat}>
              <label className="flex min-h-12 cursor-pointer items-center gap-3 rounded-md border border-line px-4 text-sm font-medium has-checked:border-bad has-checked:bg-bad-soft">
                <input
                  type="checkbox"
                  className="size-4.5"
                  checked={chosen.has(seat)}
                  onChange={() => toggle(seat)}
                />
                {seatLabel(house, seat)}
              </label>
            </li>
          ))}
        </ul>
      </fieldset>
    </Dialog>
  );
}
