import { plural, t } from '@lingui/core/macro';
import { useMemo, useState } from 'react';
import { useBlock } from '@/api/houses';
import { hasCode } from '@/api/problem';
import type { Event } from '@/api/types';
import { explain } from '@/app/explain';
import { SeatMapView } from '@/features/event/SeatMapView';
import { seatSummary } from '@/lib/seatNames';
import { defaultLayout, type House, houseLayout, Look, NOTHING_MINE, SeatState, type Seats } from '@/seatmap';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { LeaveGuard } from '@/ui/LeaveGuard';
import { Notice } from '@/ui/Notice';
import { Segmented } from '@/ui/Segmented';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';
import {
  listAfter,
  NOTHING_CHANGED,
  type OffSale,
  type Reach,
  reached,
  statesAfter,
  stillToDo,
  toggled,
} from './offSale';

const LEGEND = [Look.free, Look.held, Look.booked, Look.blocked];
/** More seats than this are counted and not named. */
const NAMED_MOST = 400;

const changeable = (look: Look) => look !== Look.booked;

/** Seats are taken off sale and put on sale again by pressing them on the map. */
export function OffSaleEditor({ event, house, seats }: { event: Event; house: House | null; seats: Seats }) {
  const { states } = seats;
  const layout = useMemo(
    () => (house ? houseLayout(house) : defaultLayout(states.length)),
    [house, states.length],
  );
  const [reach, setReach] = useState<Reach>('seat');
  const [wanted, setWanted] = useState<OffSale>(NOTHING_CHANGED);
  const change = useMemo(() => stillToDo(wanted, states), [wanted, states]);
  const shown = useMemo(
    (): Seats => ({ ...seats, states: statesAfter(change, states) }),
    [seats, states, change],
  );
  const open = event.status === 'upcoming';
  const block = useBlock(event.id);
  const once = useOnce();
  const save = () =>
    once(async () => {
      try {
        await block.mutateAsync((now) => listAfter(change, now));
        setWanted(NOTHING_CHANGED);
        toast('good', t`Saved`);
      } catch {
        // Told below.
      }
    });
  const press = (seat: number) => {
    block.reset();
    setWanted(toggled(change, states, reached(layout, seat, reach)));
  };
  return (
    <div className="grid items-start gap-6 lg:grid-cols-[minmax(0,1fr)_22rem]">
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
          canPick={open}
          choosable={changeable}
          legend={LEGEND}
          onSeat={(seat) => open && press(seat)}
        />
      </div>
      <Card className="space-y-4 p-5 lg:sticky lg:top-20">
        <OffNow house={house} states={shown.states} />
        <Unsaved change={change} />
        {open ? null : <Notice>{t`Only before an event begins seats can be taken off sale.`}</Notice>}
        {block.error && !block.isPending ? (
          <Notice tone="bad" live title={t`Not saved`}>
            {explain(block.error)}
            {hasCode(block.error, 'seats_unavailable') ? (
              <span className="block font-semibold">
                {seatSummary(house, block.error.seats('seat_numbers'))}
              </span>
            ) : null}
          </Notice>
        ) : null}
        <div className="flex justify-end gap-2">
          <Button look="secondary" disabled={isEmpty(change)} onClick={() => setWanted(NOTHING_CHANGED)}>
            {t`Discard`}
          </Button>
          <Button busy={block.isPending} disabled={isEmpty(change)} onClick={save}>
            {t`Save`}
          </Button>
        </div>
      </Card>
      <LeaveGuard dirty={!isEmpty(change)} />
    </div>
  );
}

function isEmpty({ off, on }: OffSale): boolean {
  return off.size === 0 && on.size === 0;
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
