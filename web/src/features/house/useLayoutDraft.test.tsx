// @vitest-environment jsdom
import { act, cleanup, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { HouseAnswer } from '@/api/houses';
import type { Event } from '@/api/types';
import { House } from '@/seatmap';
import { withRows } from './draft';
import { type LayoutDraft, useLayoutDraft } from './useLayoutDraft';

interface Sent {
  revision: number;
  answer: (revision: number) => void;
}

const sent: Sent[] = [];
vi.mock('@/api/houses', () => ({
  useArrange: () => ({
    isPending: false,
    mutateAsync: ({ sections, revision }: { sections: House['sections']; revision: number }) =>
      new Promise((resolve) =>
        sent.push({
          revision,
          answer: (next) =>
            resolve({
              house: sections && new House(sections),
              laid: { layout_revision: next, total_slots: 4 },
            }),
        }),
      ),
  }),
}));

const houseOf = (name: string) => new House([{ name, rows: [{ label: 'A', seats: 4 }] }]);
const at = (revision: number) => ({ id: 'event', layout_revision: revision, total_slots: 4 }) as Event;
const answered = (house: House, current = true): HouseAnswer => ({
  house,
  current,
  error: null,
  refetch: () => {},
});

function setup() {
  const view = renderHook(({ event, house }) => useLayoutDraft(event, house), {
    initialProps: { event: at(1), house: answered(houseOf('Stalls')) },
  });
  const now = () => view.result.current as LayoutDraft;
  const name = () => now().draft[0]?.name;
  const type = (next: string) => act(() => now().edit(now().draft.map((s) => ({ ...s, name: next }))));
  const see = (revision: number, house: House, current = true) =>
    view.rerender({ event: at(revision), house: answered(house, current) });
  return { now, name, type, see };
}

beforeEach(() => {
  sent.length = 0;
});
afterEach(cleanup);

describe('a layout that is being drawn up', () => {
  it('follows what others save while nothing is typed', () => {
    const { name, now, see } = setup();
    see(2, houseOf('Parquet'));
    expect(name()).toBe('Parquet');
    expect(now().dirty).toBe(false);
  });

  it('never takes the layout that stands in for the newest one for it', async () => {
    const { name, now, see, type } = setup();
    see(2, houseOf('Stalls'), false);
    see(2, houseOf('Parquet'));
    expect(name()).toBe('Parquet');
    type('Hall');
    await act(async () => now().save());
    expect(sent[0]?.revision).toBe(2);
  });

  it('keeps what is typed while it is saved, as an edit of what is saved', async () => {
    const { name, now, see, type } = setup();
    type('Hall');
    await act(async () => now().save());
    type('Hall of fame');
    see(2, houseOf('Hall'));
    await act(async () => sent[0]?.answer(2));
    expect(name()).toBe('Hall of fame');
    expect(now()).toMatchObject({ dirty: true, theirs: undefined });
    await act(async () => now().save());
    expect(sent[1]?.revision).toBe(2);
    see(3, houseOf('Hall of fame'));
    await act(async () => sent[1]?.answer(3));
    expect(now().dirty).toBe(false);
  });

  it('is kept when somebody else was faster, until one has decided', async () => {
    const { name, now, see, type } = setup();
    type('Hall');
    const theirs = houseOf('Parquet');
    see(2, theirs);
    expect(now().theirs).toBe(theirs);
    expect(name()).toBe('Hall');
    act(() => now().keepMine());
    expect(now()).toMatchObject({ theirs: undefined, dirty: true });
    await act(async () => now().save());
    expect(sent[0]?.revision).toBe(2);

    see(3, houseOf('Third'));
    act(() => now().startOver());
    expect(name()).toBe('Third');
  });

  it('begins with rows of 20 where there is none', () => {
    const { result } = renderHook(() =>
      useLayoutDraft(at(0), { house: null, current: true, error: null, refetch: () => {} }),
    );
    expect(result.current).toMatchObject({ laidOut: false, dirty: false });
    const [section] = result.current?.draft ?? [];
    expect(section && withRows(section, 1).rows).toEqual([{ label: 'A', seats: 4, first: 1 }]);
  });
});
