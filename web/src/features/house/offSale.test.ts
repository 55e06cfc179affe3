import { describe, expect, it } from 'vitest';
import { House, houseLayout } from '@/seatmap';
import { listAfter, NOTHING_CHANGED, portions, reached, statesAfter, stillToDo, toggled } from './offSale';

// Free, held, sold, blocked.
const states = Uint8Array.from([0, 1, 2, 3]);
const seen = (change: { off: ReadonlySet<number>; on: ReadonlySet<number> }) => [
  [...change.off],
  [...change.on],
];

describe('seats off sale', () => {
  it('go off and come back, never one that is sold', () => {
    const off = toggled(NOTHING_CHANGED, states, [1, 2, 3, 4]);
    expect(seen(off)).toEqual([[1, 2], []]);
    expect([...statesAfter(off, states)]).toEqual([3, 3, 2, 3]);
    const back = toggled(off, states, [1, 2, 3, 4]);
    expect(seen(back)).toEqual([[], [4]]);
    expect([...statesAfter(back, states)]).toEqual([0, 1, 2, 0]);
    expect(seen(toggled(back, states, [4]))).toEqual([[], []]);
    expect(toggled(NOTHING_CHANGED, states, [3, 9])).toEqual(NOTHING_CHANGED);
  });

  it('keep what others changed meanwhile', () => {
    const change = toggled(toggled(NOTHING_CHANGED, states, [1]), states, [4]);
    expect(listAfter(change, [4, 7])).toEqual([1, 7]);
    expect(seen(stillToDo(change, Uint8Array.from([2, 0, 0, 3])))).toEqual([[], [4]]);
    expect(seen(stillToDo(change, Uint8Array.from([0, 0, 0, 0])))).toEqual([[1], []]);
  });

  it('are sent in parts that the server takes', () => {
    const change = { off: new Set([1, 2, 3]), on: new Set([4]) };
    expect(portions(change, 3).map(seen)).toEqual([
      [[1, 2, 3], []],
      [[], [4]],
    ]);
    expect(portions(change).map(seen)).toEqual([[[1, 2, 3], [4]]]);
    expect(portions(NOTHING_CHANGED)).toEqual([]);
  });

  it('are reached by seat, by row and by section', () => {
    const layout = houseLayout(
      new House([
        { name: 'Box', rows: [{ label: '1', seats: 2 }] },
        {
          name: 'Stalls',
          rows: [
            { label: '1', seats: 2 },
            { label: '2', seats: 1 },
          ],
        },
      ]),
    );
    expect(reached(layout, 4, 'seat')).toEqual([4]);
    expect(reached(layout, 4, 'row')).toEqual([3, 4]);
    expect(reached(layout, 4, 'section')).toEqual([3, 4, 5]);
    expect(reached(layout, 9, 'row')).toEqual([]);
  });
});
