import { plural, t } from '@lingui/core/macro';
import { Plus } from 'lucide-react';
import { useDeferredValue, useMemo, useState } from 'react';
import type { FieldProblem } from '@/api/problem';
import type { Event } from '@/api/types';
import { SeatMapView } from '@/features/event/SeatMapView';
import { count } from '@/lib/format';
import { type House, houseLayout, Look, NOTHING_MINE, SeatState, type Seats } from '@/seatmap';
import { Button } from '@/ui/Button';
import { cx } from '@/ui/classes';
import { Confirm } from '@/ui/Dialog';
import { Notice } from '@/ui/Notice';
import { useRowFocus } from '@/ui/useRowFocus';
import { type Draft, houseOf, moved, seatsIn, withSection } from './draft';
import { SectionCard } from './SectionCard';
import type { LayoutDraft } from './useLayoutDraft';

const LEGEND = [Look.free, Look.booked, Look.blocked];

// On a phone the sections are below the map: what is typed there can be saved from there.
const WITHIN_REACH = cx(
  'max-lg:floating max-lg:fixed max-lg:inset-x-3 max-lg:z-20 max-lg:p-2.5',
  'max-md:bottom-[calc(4.75rem+env(safe-area-inset-bottom))] md:max-lg:bottom-3',
);

interface Props {
  event: Event;
  layout: LayoutDraft;
  states: Uint8Array;
}

/** Draws the house up, section by section, beside what it will look like. */
export function LayoutEditor({ event, layout, states }: Props) {
  const { draft, edit } = layout;
  const [asking, setAsking] = useState(false);
  const [added, setAdded] = useState<number | null>(null);
  const ids = useMemo(() => draft.map(({ id }) => String(id)), [draft]);
  const { place, leaving } = useRowFocus(ids);
  const add = () => {
    const next = withSection(draft);
    setAdded(next.at(-1)?.id ?? null);
    edit(next);
  };
  return (
    <div className="grid grid-cols-1 items-start gap-6 lg:grid-cols-[24rem_minmax(0,1fr)]">
      <section aria-label={t`Sections`} className="space-y-4" ref={place} tabIndex={-1}>
        {draft.map((section, i) => (
          <SectionCard
            key={section.id}
            section={section}
            index={i}
            last={i === draft.length - 1}
            only={draft.length === 1}
            fresh={section.id === added}
            faults={faultsOf(layout.faults, i)}
            onChange={(changed) => edit(draft.map((s) => (s.id === changed.id ? changed : s)))}
            onMove={(by) => edit(moved(draft, i, by))}
            onRemove={() => {
              leaving(String(section.id));
              edit(draft.filter((s) => s.id !== section.id));
            }}
          />
        ))}
        <Button
          look="secondary"
          className="w-full"
          icon={<Plus aria-hidden="true" className="size-4" />}
          onClick={add}
        >
          {t`Add a section`}
        </Button>
      </section>
      <div className="space-y-4 max-lg:order-first lg:sticky lg:top-20">
        <Preview draft={draft} states={states} />
        {layout.theirs === undefined ? null : <Theirs event={event} house={layout.theirs} layout={layout} />}
        {layout.problem && layout.theirs === undefined ? (
          <Notice tone="bad" live title={t`Not saved`}>
            {layout.problem}
          </Notice>
        ) : null}
        <div className="flex flex-wrap items-center justify-end gap-2">
          <p className="mr-auto text-sm text-muted" aria-live="polite">
            <Total now={event.total_slots} then={seatsIn(draft)} />
          </p>
          {layout.laidOut ? (
            <Button look="ghost" onClick={() => setAsking(true)}>
              {t`Back to rows of 20`}
            </Button>
          ) : null}
          <div className={cx('flex justify-end gap-2', layout.dirty && WITHIN_REACH)}>
            <Button look="secondary" disabled={!layout.dirty} onClick={layout.startOver}>
              {t`Discard`}
            </Button>
            <Button
              busy={layout.saving}
              disabled={layout.theirs !== undefined || (!layout.dirty && layout.laidOut)}
              onClick={layout.save}
            >
              {t`Save layout`}
            </Button>
          </div>
        </div>
      </div>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title={t`Back to rows of 20?`}
        action={t`Take the layout away`}
        keep={t`Keep it`}
        busy={layout.saving}
        onConfirm={() => layout.takeAway(() => setAsking(false))}
      >
        {t`The seats lie in rows A, B, … of 20 then, numbered through. Whoever has a seat keeps its number, and is told what it is called.`}
      </Confirm>
    </div>
  );
}

/** Somebody else was faster: what is drawn here is kept until one has decided. */
function Theirs({ event, house, layout }: { event: Event; house: House | null; layout: LayoutDraft }) {
  const seats = plural(event.total_slots, { one: '# seat', other: '# seats' });
  const parts = plural(house?.sections.length ?? 0, { one: '# section', other: '# sections' });
  return (
    <Notice
      tone="warn"
      live
      title={t`Somebody else laid the seats out meanwhile`}
      action={
        <>
          <Button size="sm" look="secondary" onClick={layout.keepMine}>
            {t`Keep mine, in place of theirs`}
          </Button>
          <Button size="sm" look="secondary" onClick={layout.startOver}>
            {t`Take theirs and start over`}
          </Button>
        </>
      }
    >
      {house
        ? t`Theirs has ${seats} in ${parts}. Nothing of yours is saved yet, so that nothing of theirs is lost.`
        : t`They went back to rows of 20, with ${seats}. Nothing of yours is saved yet.`}
    </Notice>
  );
}

function Total({ now, then }: { now: number; then: number }) {
  const seats = plural(then, { one: '# seat', other: '# seats' });
  return now === then ? seats : t`${seats} instead of ${count(now)}`;
}

/** What a section will look like is seen at once; typing does not wait for it. */
function Preview({ draft, states }: { draft: Draft; states: Uint8Array }) {
  const shown = useDeferredValue(draft);
  const layout = useMemo(() => houseLayout(houseOf(shown)), [shown]);
  const seats = useMemo((): Seats => {
    const laid = new Uint8Array(layout.seatCount);
    laid.set(states.subarray(0, layout.seatCount).map((s) => (s === SeatState.held ? SeatState.free : s)));
    return { version: { epoch: '', n: 0 }, states: laid, counts: [0, 0, 0, 0] };
  }, [layout, states]);
  return (
    <SeatMapView
      layout={layout}
      seats={seats}
      looks={seats.states}
      mine={NOTHING_MINE}
      canPick={false}
      legend={LEGEND}
      onSeat={() => {}}
    />
  );
}

/** Of one section, its fields named from there on. */
function faultsOf(faults: readonly FieldProblem[], section: number): FieldProblem[] {
  const at = `sections[${section}].`;
  return faults
    .filter(({ field }) => field.startsWith(at))
    .map(({ field, message }) => ({ field: field.slice(at.length), message }));
}
