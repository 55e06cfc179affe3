import { plural, t } from '@lingui/core/macro';
import { Plus } from 'lucide-react';
import { useDeferredValue, useMemo, useState } from 'react';
import { useArrange } from '@/api/houses';
import { ApiError, type FieldProblem } from '@/api/problem';
import type { Event } from '@/api/types';
import { explain } from '@/app/explain';
import { SeatMapView } from '@/features/event/SeatMapView';
import { count } from '@/lib/format';
import { type House, houseLayout, Look, NOTHING_MINE, SeatState, type Seats } from '@/seatmap';
import { Button } from '@/ui/Button';
import { Confirm } from '@/ui/Dialog';
import { LeaveGuard } from '@/ui/LeaveGuard';
import { Notice } from '@/ui/Notice';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';
import { type Draft, draftOf, houseOf, moved, seatsIn, sectionsOf, withSection } from './draft';
import { SectionCard } from './SectionCard';

const LEGEND = [Look.free, Look.booked, Look.blocked];

interface Props {
  event: Event;
  /** Null: rows of 20. */
  house: House | null;
  states: Uint8Array;
}

/** Draws the house up, section by section, beside what it will look like. */
export function LayoutEditor({ event, house, states }: Props) {
  // What is edited stays what it was when editing began: only then can it be
  // noticed that somebody else has laid the house out meanwhile.
  const [base, setBase] = useState({ house, revision: event.layout_revision });
  const before = useMemo(() => draftOf(base.house, event.total_slots), [base.house, event.total_slots]);
  const [edited, setDraft] = useState<Draft | null>(null);
  const [faults, setFaults] = useState<readonly FieldProblem[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const [asking, setAsking] = useState(false);
  const arrange = useArrange(event.id);
  const once = useOnce();
  const draft = edited ?? before;
  const other = base.revision !== event.layout_revision;
  // One's own change is seen as the event's before its saving is over.
  const own = arrange.isPending || arrange.data?.layout_revision === event.layout_revision;
  const stale = other && edited !== null && !own;
  if (other && edited === null) {
    setBase({ house, revision: event.layout_revision });
  }

  const edit = (next: Draft) => {
    setDraft(next);
    setFaults([]);
    setProblem(null);
  };
  const startOver = () => {
    setDraft(null);
    setFaults([]);
    setProblem(null);
  };
  const save = (next: Draft | null) =>
    once(async () => {
      try {
        await arrange.mutateAsync({ sections: next && sectionsOf(next), revision: base.revision });
        startOver();
        toast('good', t`Saved`, t`Who has booked is told if their seats are called something else now.`);
      } catch (error) {
        const told = error instanceof ApiError ? error.errors : [];
        setFaults(told);
        setProblem(told.length > 0 ? faultOfAll(told) : explain(error));
      } finally {
        setAsking(false);
      }
    });
  return (
    <div className="grid items-start gap-6 lg:grid-cols-[24rem_minmax(0,1fr)]">
      <div className="space-y-4">
        {draft.map((section, i) => (
          <SectionCard
            key={section.id}
            section={section}
            index={i}
            last={i === draft.length - 1}
            only={draft.length === 1}
            faults={faultsOf(faults, i)}
            onChange={(changed) => edit(draft.map((s) => (s.id === changed.id ? changed : s)))}
            onMove={(by) => edit(moved(draft, i, by))}
            onRemove={() => edit(draft.filter((s) => s.id !== section.id))}
          />
        ))}
        <Button
          look="secondary"
          className="w-full"
          icon={<Plus aria-hidden="true" className="size-4" />}
          onClick={() => edit(withSection(draft))}
        >
          {t`Add a section`}
        </Button>
      </div>
      <div className="space-y-4 lg:sticky lg:top-20">
        <Preview draft={draft} states={states} />
        {stale ? (
          <Notice
            tone="warn"
            live
            title={t`Somebody else laid the seats out meanwhile`}
            action={
              <Button size="sm" look="secondary" onClick={startOver}>
                {t`Load the newest and start over`}
              </Button>
            }
          >
            {t`Nothing of yours was saved, so that nothing of theirs is lost.`}
          </Notice>
        ) : null}
        {problem && !stale ? (
          <Notice tone="bad" live title={t`Not saved`}>
            {problem}
          </Notice>
        ) : null}
        <div className="flex flex-wrap items-center justify-end gap-2">
          <p className="mr-auto text-sm text-muted" aria-live="polite">
            <Total now={event.total_slots} then={seatsIn(draft)} />
          </p>
          {base.revision > 0 ? (
            <Button look="ghost" onClick={() => setAsking(true)}>
              {t`Back to rows of 20`}
            </Button>
          ) : null}
          <Button look="secondary" disabled={edited === null} onClick={startOver}>
            {t`Discard`}
          </Button>
          <Button
            busy={arrange.isPending}
            disabled={stale || (edited === null && base.revision > 0)}
            onClick={() => save(draft)}
          >
            {t`Save layout`}
          </Button>
        </div>
      </div>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title={t`Back to rows of 20?`}
        action={t`Take the layout away`}
        keep={t`Keep it`}
        busy={arrange.isPending}
        onConfirm={() => save(null)}
      >
        {t`The seats lie in rows A, B, … of 20 then, numbered through. Whoever has a seat keeps its number, and is told what it is called.`}
      </Confirm>
      <LeaveGuard dirty={edited !== null} />
    </div>
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

/** What belongs to no section stands with the button; else one looks at the sections. */
function faultOfAll(faults: readonly FieldProblem[]): string {
  const own = faults.filter(({ field }) => !field.startsWith('sections['));
  return own.length > 0 ? own.map(({ message }) => message).join(' ') : t`Please check the marked sections.`;
}
