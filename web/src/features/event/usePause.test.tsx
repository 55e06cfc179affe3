// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { cleanup, renderHook } from '@testing-library/react';
import type { ReactNode } from 'react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { keys } from '@/api/keys';
import { readSnapshot, type Seats } from '@/seatmap';
import { usePause } from './usePause';

vi.mock('@/api/events', () => ({
  eventDetail: (id: string) => ({
    queryKey: keys.events.one(id),
    queryFn: () => ({ id, available_slots: 99 }),
    staleTime: Number.POSITIVE_INFINITY,
  }),
}));

afterEach(cleanup);

/** Four seats in these states. */
function seatsOf(...states: number[]): Seats {
  const byte = states.reduce((bits, state, i) => bits | (state << (2 * i)), 0);
  return readSnapshot({ version: 'away:1', total_slots: 4, states: btoa(String.fromCharCode(byte)) }).seats;
}

function setup(unsettled: boolean) {
  const cache = new QueryClient();
  cache.setQueryData(keys.events.one('event'), { id: 'event', available_slots: 4 });
  const taken = vi.fn();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={cache}>{children}</QueryClientProvider>
  );
  const { rerender } = renderHook(
    ({ live, seats }) => usePause('event', live, seats, { wanted: [1, 2], unsettled, taken }),
    { wrapper, initialProps: { live: true, seats: seatsOf(0, 0, 0, 0) } },
  );
  return { cache, taken, rerender };
}

describe('a pause', () => {
  it('lets the event follow the seats, and tells which chosen ones others have bought', () => {
    const { cache, taken, rerender } = setup(false);
    rerender({ live: false, seats: seatsOf(0, 2, 2, 0) });
    expect(taken).toHaveBeenCalledExactlyOnceWith([2]);
    expect(cache.getQueryData(keys.events.one('event'))).toMatchObject({ available_slots: 2 });
  });

  it('takes nothing for lost that one may be buying oneself', () => {
    const { taken, rerender } = setup(true);
    rerender({ live: false, seats: seatsOf(2, 2, 0, 0) });
    expect(taken).not.toHaveBeenCalled();
  });

  it('leaves the seats to the live updates otherwise', () => {
    const { cache, taken, rerender } = setup(false);
    rerender({ live: true, seats: seatsOf(0, 2, 2, 0) });
    expect(taken).not.toHaveBeenCalled();
    expect(cache.getQueryData(keys.events.one('event'))).toMatchObject({ available_slots: 4 });
  });

  it('ends with fetching what nobody has told of meanwhile', () => {
    const { cache, rerender } = setup(false);
    const invalidated = vi.spyOn(cache, 'invalidateQueries');
    rerender({ live: false, seats: seatsOf(0, 0, 0, 0) });
    expect(invalidated).not.toHaveBeenCalled();
    rerender({ live: true, seats: seatsOf(0, 0, 0, 0) });
    const asked = invalidated.mock.calls.map(([filter]) => filter?.queryKey);
    expect(asked).toEqual([keys.events.one('event'), keys.bookings.all, keys.notifications.all]);
  });
});
