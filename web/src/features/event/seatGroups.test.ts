import { expect, it } from 'vitest';
import { defaultLayout, House, houseLayout } from '@/seatmap';
import { seatGroups } from './seatGroups';

const named = (layout: Parameters<typeof seatGroups>[0]) =>
  seatGroups(layout).map(({ section, range, rows }) => [section, range, rows.length]);

it('lists the rows of an event without a layout by their labels', () => {
  expect(named(defaultLayout(45))).toEqual([['', 'A–C', 3]]);
  expect(named(defaultLayout(1000))).toEqual([
    ['', 'A–Y', 25],
    ['', 'Z–AX', 25],
  ]);
});

it('parts long sections by their rows, and no others', () => {
  const rows = (count: number) => Array.from({ length: count }, (_, i) => ({ label: `${i + 1}`, seats: 9 }));
  expect(
    named(
      houseLayout(
        new House([
          { name: 'Stalls', rows: rows(51) },
          { name: 'Box', rows: rows(2) },
        ]),
      ),
    ),
  ).toEqual([
    ['Stalls', '1–25', 25],
    ['Stalls', '26–50', 25],
    ['Stalls', '51', 1],
    ['Box', '', 2],
  ]);
});
