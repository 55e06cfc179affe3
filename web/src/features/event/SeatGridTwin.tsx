import { t } from '@lingui/core/macro';
import { memo, useRef, useState } from 'react';
import {
  isChoosable,
  type Layout,
  type Look,
  moveForKey,
  nextSeat,
  ROWS_PER_PAGE,
  rowOfSeat,
  type SeatRow,
  sectionOfSeat,
} from '@/seatmap';
import { lookName } from './looks';

interface Props {
  layout: Layout;
  looks: Uint8Array;
  canPick: boolean;
  onSeat: (seat: number) => void;
  /** The seat that the keyboard is on, for the map to mark; undefined when it leaves. */
  onFocusSeat: (seat: number | undefined) => void;
}

/**
 * The map for keyboard and screen reader: a grid of the current section with
 * one tab stop. It is not seen; the canvas draws where its focus is.
 */
export function SeatGridTwin({ layout, looks, canPick, onSeat, onFocusSeat }: Props) {
  const [current, setCurrent] = useState(1);
  const grid = useRef<HTMLDivElement>(null);
  const seat = current <= layout.seatCount ? current : 1;
  const section = sectionOfSeat(layout, seat);
  const row = rowOfSeat(layout, seat);
  if (!section || !row) return null;

  const go = (next: number) => {
    setCurrent(next);
    onFocusSeat(next);
    // The button may belong to a section that is only drawn after this.
    requestAnimationFrame(() => grid.current?.querySelector<HTMLElement>(`[data-seat="${next}"]`)?.focus());
  };
  const name = section.name;
  return (
    <div className="sr-only">
      <p id="seat-keys">
        {t`Arrow keys move between seats, Home and End within a row, Page Up and Page Down by ${ROWS_PER_PAGE} rows, with Shift between sections. Space chooses a seat or gives it back.`}
      </p>
      {/* biome-ignore lint/a11y/useSemanticElements: a table can't be an interactive grid. */}
      <div
        ref={grid}
        role="grid"
        tabIndex={-1}
        aria-label={layout.sections.length > 1 ? t`Seats, rows ${name}` : t`Seats`}
        aria-describedby="seat-keys"
        aria-multiselectable="true"
        aria-rowcount={layout.rows.length}
        onKeyDown={(e) => {
          const move = moveForKey(e);
          if (!move) return;
          e.preventDefault();
          go(nextSeat(layout, seat, move));
        }}
        onBlur={(e) => {
          if (!e.currentTarget.contains(e.relatedTarget)) onFocusSeat(undefined);
        }}
      >
        {section.rows.map((r) => (
          <Row
            key={r.index}
            row={r}
            looks={textOf(looks, r)}
            stop={r.index === row.index ? seat : 0}
            canPick={canPick}
            onSeat={onSeat}
            onFocus={(s) => {
              setCurrent(s);
              onFocusSeat(s);
            }}
          />
        ))}
      </div>
    </div>
  );
}

// A row's looks as one text, so that rows in which nothing changed aren't
// drawn again when the map moves twenty times a second.
function textOf(looks: Uint8Array, row: SeatRow): string {
  let text = '';
  for (const seat of row.seats) text += looks[seat - 1] ?? 0;
  return text;
}

interface RowProps {
  row: SeatRow;
  looks: string;
  stop: number;
  canPick: boolean;
  onSeat: (seat: number) => void;
  onFocus: (seat: number) => void;
}

const Row = memo(
  function Row({ row, looks, stop, canPick, onSeat, onFocus }: RowProps) {
    const label = row.label;
    return (
      // biome-ignore lint/a11y/useSemanticElements: part of the grid above.
      <div role="row" tabIndex={-1} aria-rowindex={row.index + 1}>
        {[...row.seats].map((seat, i) => {
          const look = Number(looks[i]) as Look;
          const state = lookName(look);
          const mine = look >= 4;
          return (
            // biome-ignore lint/a11y/useSemanticElements: part of the grid above.
            <button
              key={seat}
              type="button"
              role="gridcell"
              data-seat={seat}
              tabIndex={seat === stop ? 0 : -1}
              aria-selected={mine}
              aria-disabled={!canPick || !isChoosable(look)}
              onClick={() => onSeat(seat)}
              onFocus={() => onFocus(seat)}
            >
              {t`Row ${label}, seat ${seat}, ${state}`}
            </button>
          );
        })}
      </div>
    );
  },
  // Handlers are new on every render and always do the same; what is seen decides.
  (a, b) => a.row === b.row && a.looks === b.looks && a.stop === b.stop && a.canPick === b.canPick,
);
