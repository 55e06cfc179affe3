import { describe, expect, it } from 'vitest';
import { House } from '@/seatmap/house';
import { seatLabel, seatSummary } from './seatNames';

describe('where nothing is laid out', () => {
  it('names a seat by row and running number', () => {
    expect(seatLabel(null, 1)).toBe('Row A · Seat 1');
    expect(seatLabel(null, 21)).toBe('Row B · Seat 21');
    expect(seatLabel(null, 541)).toBe('Row AB · Seat 541');
  });

  it.each([
    [[], ''],
    [[5], 'Row A: 5'],
    [[3, 1, 2, 7], 'Row A: 1–3, 7'],
    [[20, 21], 'Row A: 20 · Row B: 21'],
    [[4, 4], 'Row A: 4'],
  ])('sums up %j as "%s"', (seats, text) => expect(seatSummary(null, seats)).toBe(text));
});

describe('in a house that is laid out', () => {
  const house = new House([
    {
      name: 'Stalls',
      rows: [
        { label: 'A', seats: 3 },
        { label: 'B', seats: 5, first: 11 },
      ],
    },
    { name: 'Box', rows: [{ label: 'A', seats: 2, first: 101 }] },
  ]);

  it.each([
    [1, 'Stalls · Row A · Seat 1'],
    [3, 'Stalls · Row A · Seat 3'],
    [4, 'Stalls · Row B · Seat 11'],
    [8, 'Stalls · Row B · Seat 15'],
    [9, 'Box · Row A · Seat 101'],
    [10, 'Box · Row A · Seat 102'],
    [11, 'No. 11'],
  ])('names seat %i "%s"', (seat, text) => expect(seatLabel(house, seat)).toBe(text));

  it.each([
    [[2, 3, 4, 5], 'Stalls · Row A: 2–3 · Row B: 11–12'],
    [[10, 8, 9], 'Stalls · Row B: 15 · Box · Row A: 101–102'],
    [[1, 3], 'Stalls · Row A: 1, 3'],
  ])('sums up %j as "%s"', (seats, text) => expect(seatSummary(house, seats)).toBe(text));

  it('names no section that has no name', () => {
    const plain = new House([{ name: '', rows: [{ label: '1', seats: 9 }] }]);
    expect(seatLabel(plain, 9)).toBe('Row 1 · Seat 9');
    expect(seatSummary(plain, [8, 9])).toBe('Row 1: 8–9');
  });
});

it('counts seats through while the house is not known', () => {
  expect(seatLabel(undefined, 21)).toBe('No. 21');
  expect(seatSummary(undefined, [19, 20, 21, 40])).toBe('No. 19–21, 40');
});
