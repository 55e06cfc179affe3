// Light or dark follows the system unless the person chose; the choice is kept
// on the device and put on the root before anything is drawn.
import { useSyncExternalStore } from 'react';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'happening.theme';
const watchers = new Set<() => void>();

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    // Storage may be forbidden; the system's choice is a good one.
    return 'system';
  }
}

let current = stored();

function apply(): void {
  if (current === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = current;
}

export function applyTheme(): void {
  apply();
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', () => notify());
}

export function setTheme(theme: Theme): void {
  current = theme;
  try {
    if (theme === 'system') localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
  } catch {
    // It then holds until the page is left.
  }
  apply();
  notify();
}

function notify(): void {
  for (const changed of watchers) changed();
}

function watch(changed: () => void): () => void {
  watchers.add(changed);
  return () => watchers.delete(changed);
}

export function useTheme(): Theme {
  return useSyncExternalStore(watch, () => current);
}

/** Whether it is dark right now, for what is drawn by hand. */
export function useIsDark(): boolean {
  return useSyncExternalStore(watch, () =>
    current === 'system' ? window.matchMedia('(prefers-color-scheme: dark)').matches : current === 'dark',
  );
}
