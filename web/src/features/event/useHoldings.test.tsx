// @vitest-environment jsdom
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { act, cleanup, renderHook } from '@testing-library/react';
import type { ReactNode } from 'react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ApiError } from '@/api/problem';
import { putHolds, releaseHoldsOnLeave } from '@/api/seats';
import type { HoldsResult } from '@/api/types';
import { useHoldings } from './useHoldings';

vi.mock('@/api/seats', () => ({
  putHolds: vi.fn(),
  releaseHoldsOnLeave: vi.fn(),
  useHolds: () => ({ data: undefined, dataUpdatedAt: 0, refetch: vi.fn() }),
}));

const put = vi.mocked(putHolds);
const AWAY = new ApiError({ status: 503, code: 'holds_unavailable', retryAfter: 3 });

function granted(seats: number[], conflicts: number[] = []): HoldsResult {
  return { granted: seats, conflicts, expires_at: new Date(Date.now() + 120_000).toISOString() };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  cleanup();
  vi.clearAllMocks();
  put.mockReset();
  vi.useRealTimers();
});

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));

function setup() {
  const cache = new QueryClient();
  const onAway = vi.fn();
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={cache}>{children}</QueryClientProvider>
  );
  const hook = renderHook(({ live }) => useHoldings('event', true, live, onAway), {
    wrapper,
    initialProps: { live: true },
  });
  const toggle = (seat: number) => act(() => hook.result.current.toggle(seat, 10));
  const asked = () => put.mock.calls.map(([, seats]) => [...seats]);
  return { ...hook, toggle, asked, onAway };
}

describe('holding seats', () => {
  it('asks nobody while the map is not live, and places the choice once it is', async () => {
    const { result, rerender, toggle, asked } = setup();
    rerender({ live: false });
    toggle(4);
    toggle(5);
    await pass(120_000);
    expect(asked()).toEqual([]);
    expect(result.current.state).toMatchObject({ wanted: [4, 5], expiresAt: null, away: true });

    put.mockResolvedValue(granted([5], [4]));
    rerender({ live: true });
    await pass(0);
    expect(asked()).toEqual([[4, 5]]);
    expect(result.current.state).toMatchObject({ wanted: [5], held: [5], lost: [4], away: false });
  });

  it('does not take for held what was granted before the holds were lost', async () => {
    const { result, rerender, toggle, asked } = setup();
    let answer: (result: HoldsResult) => void = () => {};
    put.mockReturnValue(
      new Promise((resolve) => {
        answer = resolve;
      }),
    );
    toggle(4);
    rerender({ live: false });
    answer(granted([4]));
    await pass(0);
    expect(result.current.state).toMatchObject({ wanted: [4], held: [], expiresAt: null });

    put.mockResolvedValue(granted([4]));
    rerender({ live: true });
    await pass(0);
    expect(asked()).toEqual([[4], [4]]);
    expect(result.current.state.held).toEqual([4]);
  });

  it('tells of a refusal for want of the store, and tries again now and then while the map is live', async () => {
    const { result, toggle, asked, onAway } = setup();
    put.mockRejectedValue(AWAY);
    toggle(4);
    await pass(0);
    expect(onAway).toHaveBeenCalledTimes(1);
    expect(result.current.state).toMatchObject({ wanted: [4], away: true, refusal: null });
    await pass(5000);
    expect(asked()).toHaveLength(2);
    put.mockResolvedValue(granted([4]));
    await pass(5000);
    expect(result.current.state).toMatchObject({ held: [4], away: false });
  });

  it('lets go on leaving of what may have outlived the pause', () => {
    const { rerender, toggle, unmount } = setup();
    put.mockReturnValue(new Promise(() => {}));
    toggle(4);
    rerender({ live: false });
    unmount();
    expect(releaseHoldsOnLeave).toHaveBeenCalledTimes(1);
  });
});
