import { describe, expect, it } from 'vitest';
import { seatNumbersIn } from './seatNumbers';

describe('typed seat numbers', () => {
  it.each<[string, number[] | null]>([
    ['', []],
    ['7', [7]],
    ['3-5, 8 21', [3, 4, 5, 8, 21]],
    ['5 – 3', null],
    [' 3 - 5;4 ', [3, 4, 5]],
    ['0', null],
    ['row B', null],
    ['1.5', null],
    ['1-1000000', null],
    ['-3', null],
  ])('%s', (text, seats) => {
    expect(seatNumbersIn(text)).toEqual(seats);
  });
});
