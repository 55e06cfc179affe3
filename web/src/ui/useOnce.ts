import { useCallback, useRef } from 'react';

/**
 * Runs a deed once however often it is pressed: while it is under way, presses
 * with the same key are not heard. A button learns that it is busy a moment
 * late, and on a slow device a second press comes before that.
 */
export function useOnce(): (deed: () => Promise<unknown>, key?: string) => void {
  const running = useRef(new Set<string>());
  return useCallback((deed, key = '') => {
    if (running.current.has(key)) return;
    running.current.add(key);
    void deed().finally(() => running.current.delete(key));
  }, []);
}
