import { expect, it } from 'vitest';
import { seatLabel, seatSummary } from './seatNames';

it('names a seat by row and running number', () => {
  expect(seatLabel(1)).toBe('Row A · Seat 1');
  expect(seatLabel(21)).toBe('Row B · Seat 21');
  expect(seatLabel(541)).toBe('Row AB · Seat 541');
});

it.each([
  [[], ''],
  [[5], 'Row A: 5'],
  [[3, 1, 2, 7], 'Row A: 1–3, 7'],
  [[20, 21], 'Row A: 20 · Row B: 21'],
  [[4, 4], 'Row A: 4'],
])('sums up %j as "%s"', (seats, text) => expect(seatSummary(seats)).toBe(text));
