import { plural, t } from '@lingui/core/macro';
import { useMemo, useState } from 'react';
import { hasCode } from '@/api/problem';
import type { Event } from '@/api/types';
import { explain } from '@/app/explain';
import { SeatMapView } from '@/features/event/SeatMapView';
import { useLayout } from '@/features/event/useLayout';
import { seatSummary } from '@/lib/seatNames';
import { type House, Look, NOTHING_MINE, SeatState, type Seats } from '@/seatmap';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Notice } from '@/ui/Notice';
import { Segmented } from '@/ui/Segmented';
import { type OffSale, type Reach, reached, statesAfter } from './offSale';
import type { OffSaleDraft } from './useOffSale';

const LEGEND = [Look.free, Look.held, Look.booked, Look.blocked];
/** More seats than this are counted and not named. */
const NAMED_MOST = 400;

const changeable = (look: Look) => look !== Look.booked;

interface Props {
  event: Event;
  house: House | null;
  seats: Seats;
  offSale: OffSaleDraft;
}

/** Seats are taken off sale and put on sale again by pressing them on the map. */
export function OffSaleEditor({ event, house, seats, offSale }: Props) {
  const { states } = seats;
  const { change } = offSale;
  const layout = useLayout(house, states.length);
  const [reach, setReach] = useState<Reach>('seat');
  const shown = useMemo(
    (): Seats => ({ ...seats, states: statesAfter(change, states) }),
    [seats, states, change],
  );
  const open = event.status === 'upcoming';
  if (!layout) return null;
  return (
    <div className="grid grid-cols-1 items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
      <div>
        <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
          <p className="text-sm text-muted">{t`Press seats to take them off sale, and again to put them back.`}</p>
          <Segmented
            label={t`A press means`}
            value={reach}
            onChange={setReach}
            options={[
              { value: 'seat', label: t`Seat` },
              { value: 'row', label: t`Row` },
              { value: 'section', label: t`Section` },
            ]}
          />
        </div>
        <SeatMapView
          layout={layout}
          seats={shown}
          looks={shown.states}
          mine={NOTHING_MINE}
          canPick={open && !offSale.saving}
          choosable={changeable}
          deed={t`Space takes off sale or puts back.`}
          legend={LEGEND}
          onSeat={(seat) => {
            if (open) offSale.press(reached(layout, seat, reach));
          }}
        />
      </div>
      <Card className="space-y-4 p-5 lg:sticky lg:top-20">
        <OffNow house={house} states={shown.states} />
        <Unsaved change={change} />
        {open ? null : <Notice>{t`Only before an event begins seats can be taken off sale.`}</Notice>}
        {offSale.error ? <Refused error={offSale.error} house={house} /> : null}
        <div className="flex justify-end gap-2">
          <Button look="secondary" disabled={!offSale.dirty || offSale.saving} onClick={offSale.discard}>
            {t`Discard`}
          </Button>
          <Button busy={offSale.saving} disabled={!offSale.dirty} onClick={offSale.save}>
            {t`Save`}
          </Button>
        </div>
      </Card>
    </div>
  );
}

function Refused({ error, house }: { error: unknown; house: House | null }) {
  const sold = hasCode(error, 'seats_unavailable');
  return (
    <Notice tone="bad" live title={t`Not saved`}>
      {sold
        ? t`These were sold meanwhile. A sold seat can only be taken off sale once its booking is moved or cancelled.`
        : explain(error)}
      {sold ? (
        <span className="block font-semibold">{seatSummary(house, error.seats('seat_numbers'))}</span>
      ) : null}
    </Notice>
  );
}

function OffNow({ house, states }: { house: House | null; states: Uint8Array }) {
  const off: number[] = [];
  states.forEach((state, i) => {
    if (state === SeatState.blocked) off.push(i + 1);
  });
  return (
    <div>
      <h2 className="text-lg font-semibold">
        {plural(off.length, { 0: 'No seat is off sale', one: '# seat off sale', other: '# seats off sale' })}
      </h2>
      {off.length > 0 && off.length <= NAMED_MOST ? (
        <p className="mt-1 max-h-48 overflow-y-auto text-sm text-muted">{seatSummary(house, off)}</p>
      ) : null}
    </div>
  );
}

function Unsaved({ change }: { change: OffSale }) {
  const off = change.off.size;
  const on = change.on.size;
  return (
    <p className="text-sm font-medium" role="status">
      {off > 0 ? (
        <span className="block">
          {plural(off, { one: '# more, not saved yet', other: '# more, not saved yet' })}
        </span>
      ) : null}
      {on > 0 ? (
        <span className="block">
          {plural(on, { one: '# back on sale, not saved yet', other: '# back on sale, not saved yet' })}
        </span>
      ) : null}
    </p>
  );
}
