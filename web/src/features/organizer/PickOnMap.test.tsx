// @vitest-environment jsdom
import { act, cleanup, render, screen } from '@testing-library/react';
import { useState } from 'react';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { Event } from '@/api/types';
import { House, type Seats } from '@/seatmap';
import { NOTHING_PICKED, type Picked, PickOnMap } from './PickOnMap';

const told = vi.hoisted(() => ({ states: [0, 0, 0, 2], press: (_: number) => {} }));
vi.mock('@/api/houses', () => ({
  useHouseAnswer: () => ({ house: HOUSE, current: true, error: null, refetch: () => {} }),
}));
vi.mock('@/features/event/useSeats', () => ({ useSeats: () => ({ seats: seats(), error: null }) }));
vi.mock('@/features/event/SeatMapView', () => ({
  SeatMapView: ({ onSeat }: { onSeat: (seat: number) => void }) => {
    told.press = onSeat;
    return null;
  },
}));

const HOUSE = new House([{ name: 'Box', rows: [{ label: '1', seats: 4, first: 101 }] }]);
const known = new Map<string, Seats>();

// The same object for as long as nothing changed, as the hook gives it.
function seats(): Seats {
  const key = told.states.join();
  const made = known.get(key) ?? {
    version: { epoch: 'e', n: known.size },
    states: Uint8Array.from(told.states),
    counts: [0, 0, 0, 0],
  };
  known.set(key, made as Seats);
  return made as Seats;
}

let picked: Picked = NOTHING_PICKED;
function Host() {
  const [now, setNow] = useState(NOTHING_PICKED);
  picked = now;
  return (
    <PickOnMap event={{ id: 'event' } as Event} most={2} picked={now} error={undefined} onChange={setNow} />
  );
}

const press = (seat: number) => act(() => told.press(seat));

beforeEach(() => {
  told.states = [0, 0, 0, 2];
});
afterEach(cleanup);

it('takes free seats only, as many as may be, and gives them back', () => {
  render(<Host />);
  for (const seat of [4, 3, 1, 2]) press(seat);
  expect(picked.seats).toEqual([1, 3]);
  expect(screen.getByRole('status').textContent).toContain('Box · Row 1: 101, 103');
  press(3);
  expect(picked.seats).toEqual([1]);
});

it('lets go of a seat that somebody else got, and says which', () => {
  const { rerender } = render(<Host />);
  for (const seat of [1, 3]) press(seat);
  told.states = [1, 0, 0, 2];
  rerender(<Host />);
  expect(picked).toEqual({ seats: [3], lost: [1] });
  expect(screen.getByText('Somebody was faster').parentElement?.textContent).toContain('Box · Row 1: 101');
});
