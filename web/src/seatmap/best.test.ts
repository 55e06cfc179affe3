import { describe, expect, it } from 'vitest';
import { seatRuns, summariseSeats } from './best';
import { defaultLayout } from './layout';

const layout = defaultLayout(60);

describe('summariseSeats', () => {
  it.each([
    [[], ''],
    [[41], 'Row C: 41'],
    [[43, 41, 42], 'Row C: 41–43'],
    [[41, 43], 'Row C: 41, 43'],
    [[20, 21], 'Row A: 20 · Row B: 21'],
    [[5, 5, 6, 0, 61], 'Row A: 5–6'],
    [[1, 2, 9, 22, 23], 'Row A: 1–2, 9 · Row B: 22–23'],
  ])('sums up %j', (seats, text) => {
    expect(summariseSeats(layout, seats)).toBe(text);
  });

  it('takes the words of another language', () => {
    expect(summariseSeats(layout, [21], { row: (label) => `Reihe ${label}` })).toBe('Reihe B: 21');
  });
});

it('gives runs as data', () => {
  expect(seatRuns(layout, [22, 21, 40])).toEqual([
    { row: 'B', from: 21, to: 22 },
    { row: 'B', from: 40, to: 40 },
  ]);
});
