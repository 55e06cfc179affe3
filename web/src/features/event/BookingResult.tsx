import { plural, t } from '@lingui/core/macro';
import { Check, Hourglass } from 'lucide-react';
import type { Booking, Event } from '@/api/types';
import { longDate, timeOfDay } from '@/lib/format';
import { seatLabel } from '@/lib/seatNames';
import type { House } from '@/seatmap/house';
import { Button, ButtonLink } from '@/ui/Button';
import { Dialog } from '@/ui/Dialog';

const LISTED = 12;

/** What a booking led to: seats, or a place in line. */
export function BookingResult({
  booking,
  event,
  house,
  onClose,
}: {
  booking: Booking | null;
  event: Event;
  house: House | null | undefined;
  onClose: () => void;
}) {
  if (!booking) return null;
  const confirmed = booking.status === 'confirmed';
  const position = booking.position ?? 0;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={confirmed ? t`You're in` : t`You're in line`}
      description={`${event.name} · ${longDate(event.starts_at, event.time_zone)}, ${timeOfDay(event.starts_at, event.time_zone)}`}
      footer={
        <>
          <ButtonLink to="/bookings/$bookingId" params={{ bookingId: booking.id }} look="secondary">
            {t`See booking`}
          </ButtonLink>
          <Button onClick={onClose}>{t`Done`}</Button>
        </>
      }
    >
      <div className="flex items-start gap-5">
        {confirmed ? (
          <span className="grid size-16 shrink-0 place-items-center rounded-full bg-good-soft text-good">
            <Check aria-hidden="true" className="size-8" strokeWidth={2.5} />
          </span>
        ) : (
          <span className="grid size-16 shrink-0 place-items-center rounded-full bg-warn-soft text-warn">
            {position > 0 ? (
              <span className="figures text-2xl font-bold">{position}</span>
            ) : (
              <Hourglass aria-hidden="true" className="size-8" />
            )}
          </span>
        )}
        {confirmed ? (
          <div>
            <p className="font-semibold">
              {plural(booking.seats, { one: '# seat is yours', other: '# seats are yours' })}
            </p>
            <ul className="mt-1 text-sm text-muted">
              {booking.seat_numbers.slice(0, LISTED).map((seat) => (
                <li key={seat}>{seatLabel(house, seat)}</li>
              ))}
              {booking.seat_numbers.length > LISTED ? <li>{t`… and more`}</li> : null}
            </ul>
          </div>
        ) : (
          <div>
            <p className="font-semibold">{t`Number ${position} on the waitlist`}</p>
            <p className="mt-1 text-sm text-muted">
              {plural(booking.seats, {
                one: 'The next seat that comes back in your turn is booked for you, and you are told at once.',
                other:
                  'As soon as # seats come back in your turn, they are booked for you, and you are told at once.',
              })}
            </p>
          </div>
        )}
      </div>
    </Dialog>
  );
}
