import { t } from '@lingui/core/macro';
import { useMemo, useState } from 'react';
import { type HouseAnswer, useArrange } from '@/api/houses';
import { ApiError, type FieldProblem } from '@/api/problem';
import type { Event } from '@/api/types';
import { explain } from '@/app/explain';
import type { House } from '@/seatmap';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';
import { type Draft, draftOf, sectionsOf } from './draft';

/** What is edited, and of which revision of the layout it is an edit. */
interface Base {
  readonly house: House | null;
  readonly revision: number;
}

export interface LayoutDraft {
  readonly draft: Draft;
  /** There is something that is not saved. */
  readonly dirty: boolean;
  /** The event has a layout of its own. */
  readonly laidOut: boolean;
  /** Somebody else has laid the seats out since editing began; undefined where nobody has. */
  readonly theirs: House | null | undefined;
  readonly faults: readonly FieldProblem[];
  readonly problem: string | null;
  readonly saving: boolean;
  edit(next: Draft): void;
  /** Takes back everything that is not saved. */
  startOver(): void;
  /** Goes on with one's own on top of what somebody else saved. */
  keepMine(): void;
  save(): void;
  /** Takes the layout away; `done` is called however it ends. */
  takeAway(done: () => void): void;
}

/** A house that is being drawn up; undefined until it is known how the seats lie. */
export function useLayoutDraft(event: Event, { house, current }: HouseAnswer): LayoutDraft | undefined {
  // What is edited stays what it was when editing began: only then can it be
  // noticed that somebody else has laid the house out meanwhile.
  const [base, setBase] = useState<Base | null>(null);
  const [edited, setEdited] = useState<Draft | null>(null);
  const [faults, setFaults] = useState<readonly FieldProblem[]>([]);
  const [problem, setProblem] = useState<string | null>(null);
  const arrange = useArrange(event.id);
  const once = useOnce();
  const before = useMemo(() => base && draftOf(base.house, event.total_slots), [base, event.total_slots]);
  const { layout_revision: revision } = event;
  // The layout before this one, which stands in while this one is fetched, is never
  // taken for it: saved with its revision it would undo what somebody else saved.
  const known = house !== undefined && current;
  const other = base?.revision !== revision;
  if (known && other && edited === null) setBase({ house, revision });

  const forget = () => {
    setFaults([]);
    setProblem(null);
  };
  const send = (next: Draft | null, done: () => void) =>
    once(async () => {
      if (!base) return;
      try {
        const { house: laid, laid: answer } = await arrange.mutateAsync({
          sections: next && sectionsOf(next),
          revision: base.revision,
        });
        // What was typed while it was saved is an edit of what is saved now.
        setBase({ house: laid, revision: answer.layout_revision });
        setEdited((now) => (now === edited ? null : now));
        forget();
        toast('good', t`Saved`, t`Who has booked is told if their seats are called something else now.`);
      } catch (error) {
        const told = error instanceof ApiError ? error.errors : [];
        setFaults(told);
        setProblem(told.length > 0 ? faultOfAll(told) : explain(error));
      } finally {
        done();
      }
    });
  if (!base || !before) return undefined;
  const draft = edited ?? before;
  return {
    draft,
    dirty: edited !== null,
    laidOut: base.revision > 0,
    // One's own change is seen as the event's before its saving is over.
    theirs: other && edited !== null && known && !arrange.isPending ? house : undefined,
    faults,
    problem,
    saving: arrange.isPending,
    edit: (next) => {
      setEdited(next);
      forget();
    },
    startOver: () => {
      setEdited(null);
      forget();
    },
    keepMine: () => {
      if (known) setBase({ house, revision });
      forget();
    },
    save: () => send(draft, () => {}),
    takeAway: (done) => send(null, done),
  };
}

/** What belongs to no section stands with the button; else one looks at the sections. */
function faultOfAll(faults: readonly FieldProblem[]): string {
  const own = faults.filter(({ field }) => !field.startsWith('sections['));
  return own.length > 0 ? own.map(({ message }) => message).join(' ') : t`Please check the marked sections.`;
}
