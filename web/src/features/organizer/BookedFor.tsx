import { plural, t } from '@lingui/core/macro';
import { Check, Hourglass } from 'lucide-react';
import type { Booking } from '@/api/types';
import { seatSummary } from '@/lib/seatNames';
import type { House } from '@/seatmap/house';
import { Button, ButtonLink } from '@/ui/Button';
import { Dialog } from '@/ui/Dialog';

/** Somebody has been booked for: what they have, and what one can do next. */
export function BookedFor({
  booking,
  address,
  house,
  onAnother,
  onClose,
}: {
  booking: Booking;
  address: string;
  house: House | null | undefined;
  onAnother: () => void;
  onClose: () => void;
}) {
  const confirmed = booking.status === 'confirmed';
  const position = booking.position ?? 0;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      title={confirmed ? t`Booked` : t`On the waitlist`}
      description={address}
      footer={
        <>
          <ButtonLink to="/bookings/$bookingId" params={{ bookingId: booking.id }} look="secondary">
            {t`See booking`}
          </ButtonLink>
          <Button look="secondary" onClick={onAnother}>{t`Book another`}</Button>
          <Button onClick={onClose}>{t`Done`}</Button>
        </>
      }
    >
      <div role="status" className="flex items-center gap-4">
        {confirmed ? (
          <span className="grid size-12 shrink-0 place-items-center rounded-full bg-good-soft text-good">
            <Check aria-hidden="true" className="size-6" strokeWidth={2.5} />
          </span>
        ) : (
          <span className="grid size-12 shrink-0 place-items-center rounded-full bg-warn-soft text-warn">
            <Hourglass aria-hidden="true" className="size-6" />
          </span>
        )}
        <div>
          <p className="font-semibold">
            {confirmed
              ? plural(booking.seats, { one: '# seat booked', other: '# seats booked' })
              : t`Number ${position} on the waitlist`}
          </p>
          {confirmed ? (
            <p className="text-sm text-muted">{seatSummary(house, booking.seat_numbers)}</p>
          ) : null}
        </div>
      </div>
    </Dialog>
  );
}
