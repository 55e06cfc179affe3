import { plural, t } from '@lingui/core/macro';
import { Check } from 'lucide-react';
import { useMemo, useState } from 'react';
import { isChoosable, type Layout, Look, type SeatRow } from '@/seatmap';
import { cx } from '@/ui/classes';
import { Field, Select } from '@/ui/Field';
import { lookName } from './looks';
import { type SeatGroup, seatGroups } from './seatGroups';

interface Props {
  layout: Layout;
  looks: Uint8Array;
  canPick: boolean;
  onSeat: (seat: number) => void;
}

/** The hall as text: section, row, seat. It does all that the map does. */
export function SeatList({ layout, looks, canPick, onSeat }: Props) {
  const [index, setIndex] = useState(0);
  const groups = useMemo(() => seatGroups(layout), [layout]);
  const group = groups[index] ?? groups[0];
  if (!group) return null;
  return (
    <div className="rounded-xl border border-line bg-surface p-5 shadow-card">
      {groups.length > 1 ? (
        <Field label={t`Section`} className="mb-5 max-w-xs">
          {(control) => (
            <Select
              {...control}
              value={groups.indexOf(group)}
              onChange={(e) => setIndex(Number(e.target.value))}
            >
              {groups.map((g, i) => (
                <option key={g.rows[0]?.index} value={i}>
                  {groupName(g, looks)}
                </option>
              ))}
            </Select>
          )}
        </Field>
      ) : null}
      <ul className="space-y-5">
        {group.rows.map((row) => {
          const { label, first } = row;
          const { section } = group;
          const free = freeIn(row, looks);
          return (
            <li key={row.index}>
              <h3 className="mb-2 flex items-baseline gap-2 text-sm font-semibold">
                {section ? t`${section} · Row ${label}` : t`Row ${label}`}
                <span className="font-normal text-muted">
                  {plural(free, { 0: 'full', one: '# free', other: '# free' })}
                </span>
              </h3>
              <ul className="grid grid-cols-[repeat(auto-fill,minmax(3.1rem,1fr))] gap-1.5">
                {[...row.seats].map((seat, i) => (
                  <li key={seat}>
                    <SeatButton
                      section={section}
                      row={label}
                      number={first + i}
                      look={(looks[seat - 1] ?? Look.blocked) as Look}
                      canPick={canPick}
                      onPress={() => onSeat(seat)}
                    />
                  </li>
                ))}
              </ul>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

function groupName({ section, range, rows }: SeatGroup, looks: Uint8Array): string {
  const free = rows.reduce((sum, row) => sum + freeIn(row, looks), 0);
  if (section === '') return t`Rows ${range} (${free} free)`;
  return range === '' ? t`${section} (${free} free)` : t`${section}, rows ${range} (${free} free)`;
}

function freeIn(row: SeatRow, looks: Uint8Array): number {
  let free = 0;
  for (const seat of row.seats) if (looks[seat - 1] === Look.free) free++;
  return free;
}

const STYLES: Record<Look, string> = {
  [Look.free]: 'border-good-fill bg-good-soft text-good hover:border-good',
  [Look.held]: 'border-dashed border-warn-fill bg-warn-soft text-warn',
  [Look.booked]: 'border-transparent bg-sunken text-muted line-through',
  [Look.blocked]: 'border-transparent bg-sunken text-muted italic',
  [Look.selected]: 'border-accent bg-accent-soft text-accent-ink',
  [Look.mineHeld]: 'border-accent bg-accent text-on-accent',
  [Look.mineBooked]: 'border-accent bg-accent-soft text-accent-ink',
};

function SeatButton({
  section,
  row,
  number,
  look,
  canPick,
  onPress,
}: {
  section: string;
  row: string;
  number: number;
  look: Look;
  canPick: boolean;
  onPress: () => void;
}) {
  const state = lookName(look);
  const chosen = look === Look.selected || look === Look.mineHeld;
  return (
    <button
      type="button"
      aria-pressed={chosen}
      aria-disabled={!canPick || !isChoosable(look)}
      aria-label={
        section
          ? t`${section}, row ${row}, seat ${number}, ${state}`
          : t`Row ${row}, seat ${number}, ${state}`
      }
      onClick={onPress}
      className={cx(
        'figures inline-flex h-11 w-full items-center justify-center gap-1 rounded-md border px-1.5 text-sm font-semibold',
        'aria-disabled:cursor-not-allowed',
        STYLES[look],
      )}
    >
      {chosen ? <Check aria-hidden="true" className="size-3.5 shrink-0" /> : null}
      {number}
    </button>
  );
}
