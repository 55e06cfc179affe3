import { plural, t } from '@lingui/core/macro';
import { CircleAlert } from 'lucide-react';
import { useEffect, useMemo } from 'react';
import { useHouseAnswer } from '@/api/houses';
import type { Event } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { SeatMapView } from '@/features/event/SeatMapView';
import { useLayout } from '@/features/event/useLayout';
import { useSeats } from '@/features/event/useSeats';
import { seatSummary } from '@/lib/seatNames';
import { Look, looksOf, type Mine, SeatState } from '@/seatmap';
import { Notice } from '@/ui/Notice';
import { Skeleton } from '@/ui/Skeleton';

const LEGEND = [Look.free, Look.selected, Look.held, Look.booked, Look.blocked];
const NOBODY: ReadonlySet<number> = new Set();

/** Seats chosen on the map, rising, and those that somebody else got meanwhile. */
export interface Picked {
  readonly seats: readonly number[];
  readonly lost: readonly number[];
}

export const NOTHING_PICKED: Picked = { seats: [], lost: [] };

/** Choosing seats for somebody else on the map. They are not held: until they are booked anybody may be faster. */
export function PickOnMap({
  event,
  most,
  picked,
  error,
  onChange,
}: {
  event: Event;
  most: number;
  picked: Picked;
  error: string | undefined;
  onChange: (picked: Picked) => void;
}) {
  const { seats: chosen, lost } = picked;
  const { house, error: houseError, refetch: refetchHouse } = useHouseAnswer(event);
  const { seats, error: seatsError, refetch } = useSeats(event.id, event.total_slots);
  const layout = useLayout(house, seats?.states.length ?? 0);
  const mine = useMemo<Mine>(() => ({ selected: new Set(chosen), held: NOBODY, booked: NOBODY }), [chosen]);
  const looks = useMemo(() => (seats ? looksOf(seats, mine) : undefined), [seats, mine]);
  useEffect(() => {
    if (!seats) return;
    const gone = chosen.filter((seat) => seats.states[seat - 1] !== SeatState.free);
    if (gone.length > 0) onChange({ seats: chosen.filter((seat) => !gone.includes(seat)), lost: gone });
  }, [seats, chosen, onChange]);
  if (!layout || !seats || !looks) {
    const failure = seatsError ?? houseError;
    const again = () => {
      void refetch();
      refetchHouse();
    };
    return failure ? <Failure error={failure} onRetry={again} /> : <Skeleton className="h-72 rounded-xl" />;
  }
  const press = (seat: number) => {
    const look = looks[seat - 1];
    if (look === Look.selected) onChange({ seats: chosen.filter((one) => one !== seat), lost: [] });
    else if (look === Look.free && chosen.length < most)
      onChange({ seats: [...chosen, seat].sort((a, b) => a - b), lost: [] });
  };
  return (
    <div className="space-y-3">
      <SeatMapView
        layout={layout}
        seats={seats}
        looks={looks}
        mine={mine}
        canPick
        legend={LEGEND}
        onSeat={press}
      />
      {error ? (
        <p role="alert" className="flex items-start gap-1.5 text-sm text-bad">
          <CircleAlert aria-hidden="true" className="mt-0.5 size-4 shrink-0" />
          {error}
        </p>
      ) : null}
      <p role="status" className="max-h-24 overflow-y-auto text-sm">
        <span className="font-semibold">
          {plural(chosen.length, { 0: 'No seat chosen yet', one: '# seat chosen', other: '# seats chosen' })}
        </span>{' '}
        <span className="text-muted">
          {chosen.length > 0 ? seatSummary(house, chosen) : null}
          {chosen.length >= most ? t` · more are not allowed` : null}
        </span>
      </p>
      {lost.length > 0 ? (
        <Notice tone="warn" live title={t`Somebody was faster`}>
          {seatSummary(house, lost)}
        </Notice>
      ) : null}
    </div>
  );
}
