import { t } from '@lingui/core/macro';
import { UserPlus } from 'lucide-react';
import { type FormEvent, useId, useState } from 'react';
import { useBookFor } from '@/api/bookings';
import { useHouse } from '@/api/houses';
import { ApiError, hasCode, isDefinite } from '@/api/problem';
import type { Booking, Event } from '@/api/types';
import { explain } from '@/app/explain';
import { useIntents } from '@/lib/intent';
import { seatSummary } from '@/lib/seatNames';
import type { House } from '@/seatmap/house';
import { Button, ButtonLink } from '@/ui/Button';
import { Dialog } from '@/ui/Dialog';
import { Field, Input } from '@/ui/Field';
import { Notice } from '@/ui/Notice';
import { Segmented } from '@/ui/Segmented';
import { Stepper } from '@/ui/Stepper';
import { useOnce } from '@/ui/useOnce';
import { BookedFor } from './BookedFor';
import { addressIn } from './inviteLines';
import { NOTHING_PICKED, PickOnMap } from './PickOnMap';
import { seatNumbersIn } from './seatNumbers';

/** The most seats that one booking can have. */
const MOST = 1000;
/** More seats than this are not named while they are typed. */
const NAMED_MOST = 50;

type Choice = 'best' | 'map' | 'named';

/** Books for somebody by their address, as a box office does on the phone. */
export function BookForSomebody({ event }: { event: Event }) {
  const [open, setOpen] = useState(false);
  if (event.status !== 'upcoming') return null;
  return (
    <>
      <Button
        look="secondary"
        icon={<UserPlus aria-hidden="true" className="size-4" />}
        onClick={() => setOpen(true)}
      >
        {t`Book for somebody`}
      </Button>
      {open ? <BookForDialog event={event} onClose={() => setOpen(false)} /> : null}
    </>
  );
}

function BookForDialog({ event, onClose }: { event: Event; onClose: () => void }) {
  const [made, setMade] = useState<{ booking: Booking; address: string } | null>(null);
  const form = useId();
  const book = useBookFor(event.id);
  const house = useHouse(event);
  const [choice, setChoice] = useState<Choice>('best');
  const again = () => {
    setMade(null);
    setChoice('best');
  };
  if (made) return <BookedFor {...made} house={house} onAnother={again} onClose={onClose} />;
  return (
    <Dialog
      open
      onOpenChange={(open) => !open && onClose()}
      wide={choice === 'map'}
      title={t`Book for somebody`}
      description={t`They are told by mail. Whoever signs in with the address has the booking as their own.`}
      footer={
        <>
          <Button look="secondary" onClick={onClose}>{t`Close`}</Button>
          <Button type="submit" form={form} busy={book.isPending}>{t`Book`}</Button>
        </>
      }
    >
      <BookForForm
        id={form}
        event={event}
        house={house}
        book={book}
        choice={choice}
        onChoice={setChoice}
        onMade={(booking, address) => setMade({ booking, address })}
      />
    </Dialog>
  );
}

function BookForForm({
  id,
  event,
  house,
  book,
  choice: chosen,
  onChoice,
  onMade,
}: {
  id: string;
  event: Event;
  house: House | null | undefined;
  book: ReturnType<typeof useBookFor>;
  choice: Choice;
  onChoice: (choice: Choice) => void;
  onMade: (booking: Booking, address: string) => void;
}) {
  const [email, setEmail] = useState('');
  const [picked, setPicked] = useState(NOTHING_PICKED);
  const [size, setSize] = useState(1);
  const [numbers, setNumbers] = useState('');
  const [wrong, setWrong] = useState<{ email?: string; numbers?: string }>({});
  const intents = useIntents();
  const once = useOnce();
  const most = Math.min(event.max_seats_per_user ?? MOST, event.total_slots, MOST);
  // Only in rows of 20, numbered through, a number alone says which seat is meant.
  const numbered = house === null;
  const choice = chosen === 'named' && !numbered ? 'best' : chosen;
  const typed = choice === 'named' ? (seatNumbersIn(numbers) ?? []) : [];
  const submit = (e: FormEvent) => {
    e.preventDefault();
    const address = addressIn(email.trim());
    const named = choice === 'named' ? seatNumbersIn(numbers) : choice === 'map' ? picked.seats : undefined;
    const bad: typeof wrong = {};
    if (!address) bad.email = t`That is no e-mail address.`;
    if (named === null || named?.length === 0)
      bad.numbers = choice === 'map' ? t`Choose seats on the map.` : t`Enter seat numbers such as 3-5, 8.`;
    setWrong(bad);
    if (!address || bad.numbers) {
      book.reset();
      return;
    }
    const wish = { email: address, seats: named?.length ?? size, seatNumbers: named ?? undefined };
    once(async () => {
      try {
        const booking = await book.mutateAsync({ ...wish, idempotencyKey: intents.keyFor(wish) });
        intents.settle();
        onMade(booking, address);
      } catch (failure) {
        if (isDefinite(failure)) intents.settle();
        const of = (field: string) =>
          failure instanceof ApiError
            ? failure.errors.find((f) => f.field.startsWith(field))?.message
            : undefined;
        setWrong({
          ...(of('email') ? { email: of('email') ?? '' } : {}),
          ...(of('seat_numbers') ? { numbers: of('seat_numbers') ?? '' } : {}),
        });
      }
    });
  };
  return (
    <form id={id} onSubmit={submit} noValidate className="space-y-4">
      <Field label={t`E-mail address`} error={wrong.email}>
        {(control) => (
          <Input
            {...control}
            type="text"
            inputMode="email"
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            value={email}
            onChange={(e) => setEmail(e.target.value)}
          />
        )}
      </Field>
      <Segmented
        label={t`Which seats`}
        value={choice}
        onChange={(next) => {
          setWrong({});
          onChoice(next);
        }}
        className="flex w-full"
        options={[
          { value: 'best', label: t`The best` },
          { value: 'map', label: t`On the map` },
          ...(numbered ? [{ value: 'named' as const, label: t`By number` }] : []),
        ]}
      />
      {choice === 'best' ? (
        <div className="flex items-center justify-between gap-4">
          <span aria-hidden="true" className="text-sm font-medium">{t`Seats`}</span>
          <Stepper label={t`Seats`} value={size} min={1} max={most} onChange={setSize} />
        </div>
      ) : choice === 'map' ? (
        <PickOnMap
          event={event}
          most={most}
          picked={picked}
          error={wrong.numbers}
          onChange={(next) => {
            setPicked(next);
            setWrong(({ email }) => (email ? { email } : {}));
          }}
        />
      ) : (
        <Field
          label={t`Seat numbers`}
          hint={
            typed.length > 0 && typed.length <= NAMED_MOST
              ? seatSummary(house, typed)
              : t`Such as 3-5, 8. Seats that you hold on the map are free to this booking.`
          }
          error={wrong.numbers}
        >
          {(control) => (
            <Input
              {...control}
              type="text"
              autoComplete="off"
              spellCheck={false}
              value={numbers}
              onChange={(e) => setNumbers(e.target.value)}
            />
          )}
        </Field>
      )}
      {book.error && !book.isPending && !wrong.email && !wrong.numbers ? (
        <Refused error={book.error} house={house} />
      ) : null}
    </form>
  );
}

// What the person on the phone is told, and not whoever books for themselves.
function whyNot(error: unknown): string {
  if (hasCode(error, 'seat_limit'))
    return t`With these they would have more seats than one person may have at this event.`;
  if (hasCode(error, 'waitlist_first'))
    return t`Others are waiting in line, so seats can't be picked. With “The best” they join the line.`;
  return explain(error);
}

function Refused({ error, house }: { error: unknown; house: House | null | undefined }) {
  const gone = hasCode(error, 'seats_unavailable') ? error.seats('seat_numbers') : [];
  const booking = hasCode(error, 'duplicate_request') ? error.text('booking_id') : null;
  return (
    <Notice
      tone={hasCode(error, 'seats_held') ? 'warn' : 'bad'}
      live
      title={t`Not booked`}
      action={
        booking ? (
          <ButtonLink to="/bookings/$bookingId" params={{ bookingId: booking }} size="sm" look="secondary">
            {t`See that booking`}
          </ButtonLink>
        ) : null
      }
    >
      {whyNot(error)}
      {gone.length > 0 ? <span className="block font-semibold">{seatSummary(house, gone)}</span> : null}
    </Notice>
  );
}
