// @vitest-environment jsdom
import { act, cleanup, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fetchSeats } from '@/api/seats';
import type { SeatStates } from '@/api/types';
import type { EventHandlers } from '@/realtime/hooks';
import { useSeats } from './useSeats';

let channel: EventHandlers = {};
vi.mock('@/api/seats', () => ({ fetchSeats: vi.fn() }));
vi.mock('@/realtime/hooks', () => ({
  useEventChannel: (_: string, handlers: EventHandlers) => {
    channel = handlers;
  },
}));

const asked = vi.mocked(fetchSeats);
const LIVE: SeatStates = { version: 'e:1', live: true, total_slots: 4, available_slots: 3, states: 'BA==' };
const AWAY: SeatStates = {
  version: 'away:1',
  live: false,
  total_slots: 4,
  available_slots: 4,
  states: 'AA==',
};
/** Longer than any poll's pause, shorter than two. */
const ONE_POLL_MS = 4000;

let visible = true;

function show(now: boolean): void {
  visible = now;
  document.dispatchEvent(new Event('visibilitychange'));
}

const pass = (ms: number) => act(() => vi.advanceTimersByTimeAsync(ms));
const calls = () => asked.mock.calls.length;

beforeEach(() => {
  vi.useFakeTimers();
  visible = true;
  vi.spyOn(document, 'visibilityState', 'get').mockImplementation(() => (visible ? 'visible' : 'hidden'));
});

afterEach(() => {
  cleanup();
  asked.mockReset();
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function setup(answer: SeatStates) {
  asked.mockResolvedValue(answer);
  const { result } = renderHook(() => useSeats('event', 4));
  await pass(0);
  return result;
}

describe('the seats of an event', () => {
  it('are asked for once while they are live', async () => {
    const result = await setup(LIVE);
    expect(result.current.live).toBe(true);
    await pass(60_000);
    expect(calls()).toBe(1);
  });

  it('are asked for every few seconds while they are not, until they are', async () => {
    const result = await setup(AWAY);
    expect(result.current.live).toBe(false);
    const before = calls();
    await pass(ONE_POLL_MS);
    expect(calls()).toBe(before + 1);
    const { seats } = result.current;
    await pass(ONE_POLL_MS);
    expect(result.current.seats).toBe(seats);

    asked.mockResolvedValue(LIVE);
    await pass(ONE_POLL_MS);
    expect(result.current.live).toBe(true);
    const after = calls();
    await pass(60_000);
    expect(calls()).toBe(after);
  });

  it('are not asked for in a hidden tab, and at once when it is seen again', async () => {
    await setup(AWAY);
    act(() => show(false));
    const before = calls();
    await pass(60_000);
    expect(calls()).toBe(before);
    act(() => show(true));
    expect(calls()).toBe(before + 1);
    await pass(ONE_POLL_MS);
    expect(calls()).toBe(before + 2);
  });

  it('are not asked for again before the last answer is there', async () => {
    await setup(AWAY);
    let answer: (body: SeatStates) => void = () => {};
    asked.mockReturnValue(
      new Promise((resolve) => {
        answer = resolve;
      }),
    );
    await pass(ONE_POLL_MS);
    const before = calls();
    await pass(60_000);
    expect(calls()).toBe(before);
    asked.mockResolvedValue(AWAY);
    answer(AWAY);
    await pass(ONE_POLL_MS);
    expect(calls()).toBe(before + 1);
  });

  it('pause with the word of the channel, and go on with it in a hidden tab too', async () => {
    const result = await setup(LIVE);
    asked.mockResolvedValue(AWAY);
    act(() => channel.onLive?.(false));
    expect(result.current.live).toBe(false);
    expect(calls()).toBe(1);
    await pass(1500);
    expect(calls()).toBe(2);
    act(() => show(false));
    asked.mockResolvedValue(LIVE);
    act(() => channel.onLive?.(true));
    await pass(1500);
    expect(result.current.live).toBe(true);
  });

  it('are asked for at a random time after a new epoch or a gap, which all who watch hear of at once', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const result = await setup(LIVE);
    for (const [version, next] of [
      ['f:1', 'f:1'],
      ['f:9', 'f:9'],
    ] as const) {
      const before = calls();
      asked.mockResolvedValue({ ...LIVE, version: next });
      act(() => channel.onSeats?.({ version, seats: [[1, 1]] }));
      act(() => channel.onSeats?.({ version, seats: [] }));
      await pass(700);
      expect(calls()).toBe(before);
      expect(result.current.live).toBe(true);
      expect(result.current.seats).toBeDefined();
      await pass(100);
      expect(calls()).toBe(before + 1);
      await pass(60_000);
      expect(calls()).toBe(before + 1);
      expect(result.current.seats?.version.epoch).toBe('f');
    }
    // Two watchers ask at different times.
    random.mockReturnValue(0);
    const before = calls();
    act(() => channel.onSeats?.({ version: 'g:1', seats: [] }));
    await pass(1);
    expect(calls()).toBe(before + 1);
  });

  it('are asked for more patiently while that fails', async () => {
    await setup(AWAY);
    asked.mockRejectedValue(new Error('away as well'));
    await pass(60_000);
    const failing = calls();
    expect(failing).toBeLessThan(12);
    await pass(60_000);
    expect(calls() - failing).toBeLessThan(7);
  });
});
