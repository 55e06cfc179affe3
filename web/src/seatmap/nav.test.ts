import { describe, expect, it } from 'vitest';
import { defaultLayout } from './layout';
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
    [45, 'up', 25],
    [30, 'rowStart', 21],
    [30, 'rowEnd', 40],
    [5, 'pageDown', 45],
    [45, 'pageUp', 5],
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

  it('reaches every seat of a section with arrows alone', () => {
    const seen = new Set([1]);
    for (const seat of seen) {
      for (const move of ['left', 'right', 'up', 'down'] as const) seen.add(nextSeat(hall, seat, move));
    }
    expect(seen.size).toBe(45);
  });
});
