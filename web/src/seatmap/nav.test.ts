import { describe, expect, it } from 'vitest';
import { House } from './house';
import { defaultLayout, houseLayout } from './layout';
import { moveForKey, type NavMove, nextSeat } from './nav';

const plain = { ctrlKey: false, shiftKey: false, altKey: false, metaKey: false };

describe('moveForKey', () => {
  it.each([
    ['ArrowLeft', {}, 'left'],
    ['ArrowDown', {}, 'down'],
    ['Home', {}, 'rowStart'],
    ['End', { ctrlKey: true }, 'sectionEnd'],
    ['PageDown', {}, 'pageDown'],
    ['PageDown', { shiftKey: true }, 'nextSection'],
    ['PageUp', { shiftKey: true }, 'previousSection'],
    ['PageDown', { ctrlKey: true }, undefined],
    ['ArrowLeft', { altKey: true }, undefined],
    ['ArrowLeft', { metaKey: true }, undefined],
    ['Enter', {}, undefined],
    ['a', {}, undefined],
  ])('%s %j: %s', (key, modifiers, move) => {
    expect(moveForKey({ ...plain, ...modifiers, key })).toBe(move);
  });
});

describe('nextSeat', () => {
  const hall = defaultLayout(45);
  it.each<[number, NavMove, number]>([
    [1, 'left', 1],
    [1, 'right', 2],
    [20, 'right', 20],
    [21, 'left', 21],
    [7, 'down', 27],
    [27, 'up', 7],
    [7, 'up', 7],
    [38, 'down', 45],
    [45, 'down', 45],
    // Short rows are centred.
    [45, 'up', 32],
    [32, 'down', 45],
    [30, 'rowStart', 21],
    [30, 'rowEnd', 40],
    [5, 'pageDown', 41],
    [11, 'pageDown', 44],
    [45, 'pageUp', 12],
    [30, 'sectionStart', 1],
    [2, 'sectionEnd', 45],
    [2, 'nextSection', 2],
    [99, 'left', 1],
  ])('from %i %s to %i', (seat, move, to) => {
    expect(nextSeat(hall, seat, move)).toBe(to);
  });

  it('keeps row and column from section to section, and rows within theirs', () => {
    const large = defaultLayout(20_000);
    const [first, second] = large.sections;
    const from = first?.rows[3]?.seats[7] ?? 0;
    const to = second?.rows[3]?.seats[7] ?? 0;
    expect(nextSeat(large, from, 'nextSection')).toBe(to);
    expect(nextSeat(large, to, 'previousSection')).toBe(from);
    const last = first?.rows.at(-1)?.seats[0] ?? 0;
    expect(nextSeat(large, last, 'down')).toBe(last);
    expect(nextSeat(large, last, 'pageUp')).toBe(last - 100);
  });

  it('follows the rows of a house, which are centred, there and back', () => {
    const house = houseLayout(
      new House([
        {
          name: 'Stalls',
          rows: [18, 21, 20].map((seats, i) => ({ label: String(i + 1), seats })),
        },
        { name: 'Box', rows: [{ label: '1', seats: 4 }] },
      ]),
    );
    // The 9th of 18 stands before the 10th of 21, and that before the 10th of 20.
    expect(nextSeat(house, 9, 'down')).toBe(18 + 10);
    expect(nextSeat(house, 28, 'down')).toBe(39 + 10);
    expect(nextSeat(house, 49, 'up')).toBe(28);
    expect(nextSeat(house, 28, 'up')).toBe(9);
    expect(nextSeat(house, 59, 'down')).toBe(59);
    expect(nextSeat(house, 9, 'nextSection')).toBe(59 + 2);
    expect(nextSeat(house, 60, 'previousSection')).toBe(8);
    expect(nextSeat(house, 63, 'right')).toBe(63);
  });

  it('reaches every seat of a section with arrows alone', () => {
    const seen = new Set([1]);
    for (const seat of seen) {
      for (const move of ['left', 'right', 'up', 'down'] as const) seen.add(nextSeat(hall, seat, move));
    }
    expect(seen.size).toBe(45);
  });
});
