// @vitest-environment jsdom
import { act, renderHook } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { useOnce } from './useOnce';

function bench() {
  const { result, rerender } = renderHook(useOnce);
  const done: (() => void)[] = [];
  const deed = () => new Promise<void>((resolve) => done.push(resolve));
  return { press: (key?: string) => result.current(deed, key), done, rerender };
}

describe('a deed', () => {
  it('is done once for two presses at once, also when drawn anew between them', () => {
    const { press, done, rerender } = bench();
    press();
    press();
    rerender();
    press();
    expect(done).toHaveLength(1);
  });

  it('can be done again when it is done', async () => {
    const { press, done } = bench();
    press();
    await act(async () => done[0]?.());
    press();
    expect(done).toHaveLength(2);
  });

  it('can be tried again when it failed', async () => {
    const { result } = renderHook(useOnce);
    let tries = 0;
    const deed = async () => {
      tries++;
      await Promise.reject(new Error('refused')).catch(() => {});
    };
    await act(async () => result.current(deed));
    await act(async () => result.current(deed));
    expect(tries).toBe(2);
  });

  it('does not hold up another one', () => {
    const { press, done } = bench();
    press('ann');
    press('bob');
    press('ann');
    expect(done).toHaveLength(2);
  });
});
