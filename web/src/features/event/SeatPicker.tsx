import { t } from '@lingui/core/macro';
import { List, Map as MapIcon } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useMyBookings } from '@/api/bookings';
import { useHouseAnswer } from '@/api/houses';
import { useMe } from '@/api/me';
import { useOrganization } from '@/api/organizations';
import type { Event } from '@/api/types';
import { isChoosable, Look, looksOf, type Mine, SeatState, type Seats, withoutHolds } from '@/seatmap';
import { Segmented } from '@/ui/Segmented';
import { Skeleton } from '@/ui/Skeleton';
import { BookingPanel } from './BookingPanel';
import { offerFor } from './booking';
import { PausedNotice } from './PausedNotice';
import { PickBar } from './PickBar';
import { SeatList } from './SeatList';
import { SeatMapView } from './SeatMapView';
import { useBookFlow } from './useBookFlow';
import { useHoldings } from './useHoldings';
import { useLayout } from './useLayout';
import { usePause } from './usePause';
import { useSeats } from './useSeats';

type View = 'map' | 'list';

/** Choosing seats on the map or in the list, and the panel that books them. */
export function SeatPicker({ event }: { event: Event }) {
  const me = useMe();
  const [view, setView] = useState<View>('map');
  const bookings = useMyBookings(me?.id, { event_id: event.id });
  const mine = useMemo(() => bookings.data?.pages.flatMap((page) => page.items) ?? [], [bookings.data]);
  // To all but members a suspended organization's events don't exist.
  const member = me?.organizations.some((org) => org.id === event.org_id) ?? false;
  const org = useOrganization(event.org_id, member);
  const suspended = org.data?.suspended ?? false;
  const asking = member && org.isPending;
  const offer = offerFor(event, mine, suspended);
  const canPick = Boolean(me) && offer.kind === 'book';

  const { seats: told, live, error, refetch } = useSeats(event.id, event.total_slots);
  const open = event.status === 'upcoming';
  const holdings = useHoldings(event.id, Boolean(me) && open && !suspended, live, refetch);
  const flow = useBookFlow(event, holdings, refetch);
  const { wanted, held } = holdings.state;
  const paused = !live || holdings.state.away;
  usePause(event.id, live, told, { wanted, unsettled: flow.unsettled, taken: holdings.taken });

  // A hold that can't be seen to end is not shown, one's own before all.
  const seats = useMemo(() => (told && paused ? withoutHolds(told) : told), [told, paused]);
  const { house, error: houseError, refetch: refetchHouse } = useHouseAnswer(event);
  const layout = useLayout(house, seats?.states.length ?? 0);
  const overlay = useMemo<Mine>(() => {
    const granted = new Set(held);
    return {
      selected: new Set(wanted.filter((seat) => !granted.has(seat))),
      held: new Set(wanted.filter((seat) => granted.has(seat))),
      booked: new Set(mine.filter((b) => b.status === 'confirmed').flatMap((b) => b.seat_numbers)),
    };
  }, [held, wanted, mine]);
  const looks = useMemo(() => (seats ? looksOf(seats, overlay) : undefined), [seats, overlay]);

  const limit = offer.kind === 'book' ? Math.min(offer.most, holdings.limit) : 0;
  const toggle = (seat: number) => {
    const look = looks?.[seat - 1];
    if (!canPick || look === undefined || !isChoosable(look as 0)) return;
    holdings.toggle(seat, limit);
    flow.reset();
  };

  return (
    <section aria-labelledby="seats-title">
      <div className="mb-4 flex flex-wrap items-center justify-between gap-3">
        <h2 id="seats-title" className="scroll-mt-24 text-xl font-bold">
          {canPick ? t`Choose your seats` : t`Seats`}
        </h2>
        <Segmented
          label={t`Show seats as`}
          value={view}
          onChange={setView}
          options={[
            { value: 'map', label: <ViewLabel icon={<MapIcon aria-hidden="true" />} text={t`Map`} /> },
            { value: 'list', label: <ViewLabel icon={<List aria-hidden="true" />} text={t`List`} /> },
          ]}
        />
      </div>
      <PausedNotice paused={open && !suspended && paused} />
      <div className="grid grid-cols-1 items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
        {!layout || !seats || !looks ? (
          <SeatsWait
            failed={Boolean(error ?? houseError)}
            onRetry={() => {
              void refetch();
              refetchHouse();
            }}
          />
        ) : view === 'map' ? (
          <SeatMapView
            layout={layout}
            seats={seats}
            looks={looks}
            mine={overlay}
            canPick={canPick}
            legend={legendFor(seats, paused, overlay)}
            onSeat={toggle}
          />
        ) : (
          <SeatList layout={layout} looks={looks} canPick={canPick} onSeat={toggle} />
        )}
        <BookingPanel
          event={event}
          house={house}
          me={asking ? undefined : me}
          mine={mine}
          offer={offer}
          holdings={holdings}
          flow={flow}
        />
      </div>
      <PickBar holdings={holdings} flow={flow} visible={canPick} />
    </section>
  );
}

/** Without holds nobody's choosing is seen but one's own; one's own seats and those off sale are explained where there are any. */
function legendFor(seats: Seats, paused: boolean, mine: Mine): readonly Look[] {
  const looks: Look[] = paused
    ? [Look.free, Look.selected, Look.booked]
    : [Look.free, Look.mineHeld, Look.held, Look.booked];
  if (mine.booked.size > 0) looks.push(Look.mineBooked);
  if (seats.counts[SeatState.blocked] > 0) looks.push(Look.blocked);
  return looks;
}

function ViewLabel({ icon, text }: { icon: React.ReactNode; text: string }) {
  return (
    <span className="flex items-center gap-1.5 [&>svg]:size-4">
      {icon}
      {text}
    </span>
  );
}

function SeatsWait({ failed, onRetry }: { failed: boolean; onRetry: () => void }) {
  if (!failed) return <Skeleton className="h-[26rem] rounded-xl" />;
  return (
    <div
      role="alert"
      className="grid h-[26rem] place-content-center gap-3 rounded-xl bg-sunken p-6 text-center"
    >
      <p className="text-sm text-muted">{t`The seats could not be loaded. We keep trying.`}</p>
      <button type="button" className="font-semibold text-accent-ink hover:underline" onClick={onRetry}>
        {t`Try now`}
      </button>
    </div>
  );
}
