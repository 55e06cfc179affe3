import { useEffect } from 'react';

/**
 * Runs again and again while `active` and while the page is seen, each time
 * `pauseMs` or so after the last run has ended; at once when the page is seen
 * again. Nobody looks at a hidden page, and a slow server isn't asked twice.
 */
export function usePolling(active: boolean, pauseMs: number, run: () => Promise<void>): void {
  useEffect(() => {
    if (!active) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let running = false;
    let over = false;
    const seen = () => document.visibilityState === 'visible';
    const go = () => {
      running = true;
      void run().finally(() => {
        running = false;
        wait();
      });
    };
    const wait = () => {
      clearTimeout(timer);
      if (!over && seen()) timer = setTimeout(go, pauseMs * (0.8 + Math.random() * 0.4));
    };
    const turned = () => {
      clearTimeout(timer);
      if (seen() && !running) go();
    };
    wait();
    document.addEventListener('visibilitychange', turned);
    return () => {
      over = true;
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', turned);
    };
  }, [active, pauseMs, run]);
}
