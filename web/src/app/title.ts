import { useEffect } from 'react';

const PRODUCT = 'Happening';

/** Names the screen in the window's title, in tabs and in the history; null while it isn't known. */
export function useTitle(title: string | null): void {
  useEffect(() => {
    if (title === null) return undefined;
    document.title = `${title} · ${PRODUCT}`;
    return () => {
      document.title = PRODUCT;
    };
  }, [title]);
}
