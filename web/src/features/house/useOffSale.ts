import { t } from '@lingui/core/macro';
import { useMemo, useState } from 'react';
import { useBlock } from '@/api/houses';
import type { Event } from '@/api/types';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';
import { isEmpty, listAfter, NOTHING_CHANGED, type OffSale, portions, stillToDo, toggled } from './offSale';

export interface OffSaleDraft {
  /** What is not saved, as far as it has not come true by itself. */
  readonly change: OffSale;
  readonly dirty: boolean;
  readonly saving: boolean;
  readonly error: unknown;
  /** Takes seats off sale, or puts them back; not while the last ones are being saved. */
  press(seats: readonly number[]): void;
  discard(): void;
  save(): void;
}

/** Seats that shall be off sale, or on sale again. `look` shows the seats anew, once they are saved. */
export function useOffSale(event: Event, states: Uint8Array, look: () => Promise<void>): OffSaleDraft {
  const [wanted, setWanted] = useState<OffSale>(NOTHING_CHANGED);
  const [saving, setSaving] = useState(false);
  const change = useMemo(() => stillToDo(wanted, states), [wanted, states]);
  const block = useBlock(event.id);
  const once = useOnce();
  return {
    change,
    dirty: !isEmpty(change),
    saving,
    error: saving ? null : block.error,
    press: (seats) => {
      if (saving) return;
      block.reset();
      setWanted(toggled(change, states, seats));
    },
    discard: () => {
      block.reset();
      setWanted(NOTHING_CHANGED);
    },
    save: () =>
      once(async () => {
        setSaving(true);
        try {
          for (const part of portions(change)) await block.mutateAsync((now) => listAfter(part, now));
          // Until the map shows it, what was saved is shown as what is wanted.
          await look();
          setWanted(NOTHING_CHANGED);
          toast('good', t`Saved`);
        } catch {
          // Told beside the button; a part may be saved, which the map then shows.
          await look();
        } finally {
          setSaving(false);
        }
      }),
  };
}
