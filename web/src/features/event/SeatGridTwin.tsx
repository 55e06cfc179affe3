import { t } from '@lingui/core/macro';
import { memo, useCallback, useEffect, useRef, useState } from 'react';
import {
  isChoosable,
  type Layout,
  type Look,
  moveForKey,
  nextSeat,
  ROWS_PER_PAGE,
  ROWS_PER_SECTION,
  rowOfSeat,
  type SeatRow,
  type SeatSection,
  sectionOfSeat,
} from '@/seatmap';
import { lookName } from './looks';

interface Props {
  layout: Layout;
  looks: Uint8Array;
  canPick: boolean;
  /** What can be pressed; by default what can be booked or given back. */
  choosable?: ((look: Look) => boolean) | undefined;
  /** What Space does, for whoever can't see it; by default choosing a seat. */
  deed?: string | undefined;
  onSeat: (seat: number) => void;
  /** The seat that the keyboard is on, for the map to mark; undefined when it leaves. */
  onFocusSeat: (seat: number | undefined) => void;
}

/**
 * The map for keyboard and screen reader: a grid of the current section with
 * one tab stop. It is not seen; the canvas draws where its focus is.
 */
export function SeatGridTwin({
  layout,
  looks,
  canPick,
  choosable = isChoosable,
  deed,
  onSeat,
  onFocusSeat,
}: Props) {
  const [current, setCurrent] = useState(1);
  const grid = useRef<HTMLDivElement>(null);
  // Rows in which nothing changed aren't drawn again, and what a press does may
  // have changed all the same: they reach it here.
  const latest = useRef({ onSeat, onFocusSeat });
  useEffect(() => {
    latest.current = { onSeat, onFocusSeat };
  });
  const press = useCallback((pressed: number) => latest.current.onSeat(pressed), []);
  const follow = useCallback((focused: number) => {
    setCurrent(focused);
    latest.current.onFocusSeat(focused);
  }, []);
  const seat = current <= layout.seatCount ? current : 1;
  const section = sectionOfSeat(layout, seat);
  const row = rowOfSeat(layout, seat);
  if (!section || !row) return null;

  const go = (next: number) => {
    const find = () => grid.current?.querySelector<HTMLElement>(`[data-seat="${next}"]`);
    // The button may belong to a section that is only drawn after this. Until then the
    // focus stays in the grid: it would go with the section, and a dialog fetches what is lost.
    if (!find()) grid.current?.focus();
    follow(next);
    requestAnimationFrame(() => find()?.focus());
  };
  return (
    <div className="sr-only">
      <p id="seat-keys">
        {t`Arrow keys move between seats, Home and End within a row, Page Up and Page Down by ${ROWS_PER_PAGE} rows, with Shift between sections.`}{' '}
        {canPick ? (deed ?? t`Space chooses a seat or gives it back.`) : null}
      </p>
      {/* biome-ignore lint/a11y/useSemanticElements: a table can't be an interactive grid. */}
      <div
        ref={grid}
        role="grid"
        tabIndex={-1}
        aria-label={gridName(section, layout.sections.length)}
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
        {rowsAround(section.rows, row).map((r) => (
          <Row
            key={r.index}
            row={r}
            section={section.named ? section.name : ''}
            looks={textOf(looks, r)}
            stop={r.index === row.index ? seat : 0}
            canPick={canPick}
            choosable={choosable}
            onSeat={press}
            onFocus={follow}
          />
        ))}
      </div>
    </div>
  );
}

/** Rows of a long section on each side of the current one that are there; few moves go further. */
const ROWS_AROUND = 12;

// A section may have thousands of seats: then only those near the focus are there.
function rowsAround(rows: readonly SeatRow[], row: SeatRow): readonly SeatRow[] {
  if (rows.length <= ROWS_PER_SECTION) return rows;
  const at = row.index - (rows[0]?.index ?? 0);
  return rows.slice(Math.max(0, at - ROWS_AROUND), at + ROWS_AROUND + 1);
}

function gridName({ named, name }: SeatSection, sections: number): string {
  if (named) return t`Seats, ${name}`;
  return sections > 1 ? t`Seats, rows ${name}` : t`Seats`;
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
  /** Empty where it has no name of its own. */
  section: string;
  looks: string;
  stop: number;
  canPick: boolean;
  choosable: (look: Look) => boolean;
  onSeat: (seat: number) => void;
  onFocus: (seat: number) => void;
}

const Row = memo(function Row({ row, section, looks, stop, canPick, choosable, onSeat, onFocus }: RowProps) {
  const label = row.label;
  return (
    // biome-ignore lint/a11y/useSemanticElements: part of the grid above.
    <div role="row" tabIndex={-1} aria-rowindex={row.index + 1}>
      {[...row.seats].map((seat, i) => {
        const look = Number(looks[i]) as Look;
        const state = lookName(look);
        const mine = look >= 4;
        const number = row.first + i;
        return (
          // biome-ignore lint/a11y/useSemanticElements: part of the grid above.
          <button
            key={seat}
            type="button"
            role="gridcell"
            data-seat={seat}
            tabIndex={seat === stop ? 0 : -1}
            aria-selected={mine}
            aria-disabled={!canPick || !choosable(look)}
            onClick={() => onSeat(seat)}
            onFocus={() => onFocus(seat)}
          >
            {section
              ? t`${section}, row ${label}, seat ${number}, ${state}`
              : t`Row ${label}, seat ${number}, ${state}`}
          </button>
        );
      })}
    </div>
  );
});
