// @vitest-environment jsdom
import { act, cleanup, renderHook } from '@testing-library/react';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Event } from '@/api/types';
import { useOffSale } from './useOffSale';

const block = vi.hoisted(() => ({ error: null as unknown, reset: vi.fn(), mutateAsync: vi.fn() }));
vi.mock('@/api/houses', () => ({ useBlock: () => block }));

afterEach(() => {
  cleanup();
  vi.resetAllMocks();
});

function setup() {
  let shown = () => {};
  const look = vi.fn(() => new Promise<void>((resolve) => (shown = resolve)));
  const { result } = renderHook(() => useOffSale({ id: 'event' } as Event, Uint8Array.from([0, 0, 2]), look));
  return { result, look, show: () => act(async () => shown()) };
}

describe('what shall be off sale', () => {
  it('is shown until the map shows it, and takes no press meanwhile', async () => {
    const { result, show } = setup();
    block.mutateAsync.mockResolvedValue({});
    act(() => result.current.press([1, 3]));
    expect([...result.current.change.off]).toEqual([1]);
    await act(async () => result.current.save());
    expect(result.current.saving).toBe(true);
    expect([...result.current.change.off]).toEqual([1]);
    act(() => result.current.press([2]));
    expect([...result.current.change.off]).toEqual([1]);
    await show();
    expect(result.current).toMatchObject({ saving: false, dirty: false });
    expect(block.mutateAsync.mock.calls[0]?.[0]([2])).toEqual([1, 2]);
  });

  it('stays when it could not be saved', async () => {
    const { result, show, look } = setup();
    block.mutateAsync.mockRejectedValue(new Error('refused'));
    act(() => result.current.press([2]));
    await act(async () => result.current.save());
    expect(look).toHaveBeenCalled();
    await show();
    expect(result.current).toMatchObject({ saving: false, dirty: true });
  });
});
