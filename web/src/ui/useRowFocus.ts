import { type RefObject, useEffect, useRef } from 'react';

interface RowFocus {
  /** Around the list; it gets the focus when no row is left. */
  place: RefObject<HTMLElement | null>;
  /** Says that a row is about to go, and that the focus is in it. */
  leaving: (id: string) => void;
}

/**
 * Keeps the keyboard's place when the row that it was in goes: the row that
 * takes its place gets the focus. Rows are `[data-row]` with a negative tab
 * index, in the order of the ids.
 */
export function useRowFocus(ids: readonly string[]): RowFocus {
  const place = useRef<HTMLElement>(null);
  const gone = useRef<{ id: string; at: number } | null>(null);
  useEffect(() => {
    if (!gone.current || ids.includes(gone.current.id)) return;
    const { at } = gone.current;
    gone.current = null;
    // The row's dialog gives the focus back when it closes, to a button that is
    // no more; what is drawn next comes after that.
    const frame = requestAnimationFrame(() => {
      const rows = place.current?.querySelectorAll<HTMLElement>('[data-row]') ?? [];
      (rows[Math.min(at, rows.length - 1)] ?? place.current)?.focus();
    });
    return () => cancelAnimationFrame(frame);
  }, [ids]);
  return {
    place,
    leaving: (id) => {
      gone.current = { id, at: ids.indexOf(id) };
    },
  };
}
