// Which organization a person is working in, kept on the device. Several people
// may use one browser, so it is kept for each, for the last few.
import { useSyncExternalStore } from 'react';
import type { Me } from '@/api/types';

const KEY = 'happening.organization';
/** Who shares a device are few; the oldest is forgotten. */
const MAX_PEOPLE = 20;

type Kept = readonly (readonly [userId: string, orgId: string])[];

const watchers = new Set<() => void>();
let kept: Kept | null = null;

function isPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string');
}

function read(): Kept {
  if (kept) return kept;
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    kept = Array.isArray(value) ? value.filter(isPair) : [];
  } catch {
    // Storage may be forbidden; it then holds until the page is left.
    kept = [];
  }
  return kept;
}

export function rememberedOrg(userId: string): string | null {
  return read().find(([person]) => person === userId)?.[1] ?? null;
}

export function rememberOrg(userId: string, orgId: string): void {
  if (rememberedOrg(userId) === orgId) return;
  kept = [...read().filter(([person]) => person !== userId), [userId, orgId] as const].slice(-MAX_PEOPLE);
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch {
    // As above.
  }
  for (const changed of watchers) changed();
}

/** Forgets what was read, so that tests begin anew. */
export function rereadRemembered(): void {
  kept = null;
}

export type Membership = Me['organizations'][number];

/** Where a person is at work: the organization remembered, as long as they belong to it, else their first. */
export function currentOf(me: Me, remembered: string | null): Membership | undefined {
  return me.organizations.find((org) => org.id === remembered) ?? me.organizations[0];
}

function watch(changed: () => void): () => void {
  watchers.add(changed);
  return () => watchers.delete(changed);
}

export function useCurrentOrg(me: Me): Membership | undefined {
  const remembered = useSyncExternalStore(watch, () => rememberedOrg(me.id));
  return currentOf(me, remembered);
}
