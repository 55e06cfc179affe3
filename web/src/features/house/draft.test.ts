import { describe, expect, it } from 'vitest';
import { House } from '@/seatmap/house';
import {
  common,
  draftOf,
  labelAfter,
  moved,
  seatsIn,
  sectionsOf,
  withEvery,
  withLabels,
  withRow,
  withRows,
  withSection,
} from './draft';

it.each([
  ['A', 'B'],
  ['Z', 'AA'],
  ['AZ', 'BA'],
  ['ZZ', 'AAA'],
  ['9', '10'],
  ['09', '10'],
  ['R1', 'R2'],
  ['a', 'b'],
  ['z', 'aa'],
  ['Box', 'Box 2'],
])('after row %s comes %s', (label, next) => expect(labelAfter(label)).toBe(next));

describe('a draft', () => {
  const [section = { id: 0, name: '', rows: [] }] = draftOf(null, 45);

  it('begins with as many seats as there are', () => {
    expect(section.rows).toEqual([
      { label: 'A', seats: 20, first: 1 },
      { label: 'B', seats: 20, first: 1 },
      { label: 'C', seats: 5, first: 1 },
    ]);
    expect(seatsIn(draftOf(null, 1_000_000))).toBe(1_000_000);
    expect(draftOf(null, 1_000_000)[0]?.rows.length).toBeLessThanOrEqual(20_000);
  });

  it('is what the house is', () => {
    const sections = [{ name: 'Stalls', rows: [{ label: '1', seats: 3, first: 7 }] }];
    expect(sectionsOf(draftOf(new House(sections), 3))).toEqual(sections);
  });

  it('goes on as its last row does, and keeps the others', () => {
    const longer = withRows(section, 5);
    expect(longer.rows.map(({ label, seats }) => `${label}${seats}`)).toEqual([
      'A20',
      'B20',
      'C5',
      'D5',
      'E5',
    ]);
    expect(withRows(longer, 3)).toEqual(section);
  });

  it('says what its rows have in common', () => {
    expect(common(section, 'seats')).toBeNull();
    expect(common(section, 'first')).toBe(1);
    expect(common(withEvery(section, 'seats', 12), 'seats')).toBe(12);
  });

  it('names rows from a label on, and single ones', () => {
    expect(withLabels(section, '8').rows.map((row) => row.label)).toEqual(['8', '9', '10']);
    expect(withRow(section, 1, { seats: 3 }).rows.map((row) => row.seats)).toEqual([20, 3, 5]);
  });

  it('takes more sections and moves them', () => {
    const two = withSection([section]);
    expect(two[1]).toMatchObject({ id: 1, name: '' });
    expect(moved(two, 1, -1).map(({ id }) => id)).toEqual([1, 0]);
    expect(moved(two, 1, 1)).toEqual(two);
  });
});
