import { describe, expect, it } from 'vitest';
import { changedLooks, isChoosable, Look, lookOf, looksOf, type Mine, NOTHING_MINE } from './looks';
import { SeatState, type Seats } from './state';

const mine: Mine = { selected: new Set([1]), held: new Set([2]), booked: new Set([3]) };

describe('lookOf', () => {
  it.each([
    ['nothing of mine', SeatState.held, 9, Look.held],
    ['chosen, free', SeatState.free, 1, Look.selected],
    ['chosen, but held by somebody', SeatState.held, 1, Look.held],
    ['chosen, but sold', SeatState.booked, 1, Look.booked],
    ['my hold', SeatState.held, 2, Look.mineHeld],
    ['my hold before its delta came', SeatState.free, 2, Look.mineHeld],
    ['my lapsed hold, sold since', SeatState.booked, 2, Look.booked],
    ['my hold, blocked since', SeatState.blocked, 2, Look.blocked],
    ['my booking', SeatState.booked, 3, Look.mineBooked],
    ['my booking before its delta came', SeatState.free, 3, Look.mineBooked],
  ] as const)('%s', (_, state, seat, look) => {
    expect(lookOf(state, mine, seat)).toBe(look);
  });
});

describe('looksOf', () => {
  const seats: Seats = {
    version: { epoch: 'e', n: 1 },
    states: Uint8Array.of(0, 1, 2, 3, 1),
    counts: [1, 2, 1, 1],
  };

  it('lays mine over the rest and leaves the state alone', () => {
    expect([...looksOf(seats, NOTHING_MINE)]).toEqual([0, 1, 2, 3, 1]);
    expect([...looksOf(seats, { ...mine, booked: new Set([3, 99]) })]).toEqual([4, 5, 6, 3, 1]);
    expect([...seats.states]).toEqual([0, 1, 2, 3, 1]);
  });

  it('tells which seats look different', () => {
    expect(changedLooks(looksOf(seats, NOTHING_MINE), looksOf(seats, mine))).toEqual([1, 2, 3]);
    expect(changedLooks(looksOf(seats, mine), looksOf(seats, mine))).toEqual([]);
  });
});

it('lets only free seats and my own unsold ones be chosen', () => {
  expect(Object.values(Look).filter(isChoosable)).toEqual([Look.free, Look.selected, Look.mineHeld]);
});
