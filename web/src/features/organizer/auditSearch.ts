// What of the record is shown stands in the address, so that it can be shared
// with another administrator and the way back leads to the same place.
import type { AuditFilter } from '@/api/keys';

export interface AuditSearch {
  action?: string;
  actor?: string;
  subject?: string;
  /** The first and the last day, in the viewer's own zone. */
  from?: string;
  to?: string;
}

const ACTION = /^[a-z]+\.[a-z_]+$/;
const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const DAY = /^\d{4}-\d\d-\d\d$/;

/** Reads the address; what makes no sense is left out rather than refused. */
export function readAuditSearch(raw: Readonly<Record<string, unknown>>): AuditSearch {
  const search: AuditSearch = {};
  const take = (key: keyof AuditSearch, shape: RegExp) => {
    const value = raw[key];
    if (typeof value === 'string' && shape.test(value)) search[key] = value;
  };
  take('action', ACTION);
  take('actor', ID);
  take('subject', ID);
  for (const key of ['from', 'to'] as const) {
    take(key, DAY);
    if (search[key] !== undefined && Number.isNaN(startOf(search[key], 0).getTime())) delete search[key];
  }
  return search;
}

/** Lays a change over the search and drops what is not set, so that it doesn't stand in the address. */
export function changedSearch(
  search: AuditSearch,
  change: { [K in keyof AuditSearch]?: string | undefined },
): AuditSearch {
  return Object.fromEntries(Object.entries({ ...search, ...change }).filter(([, value]) => value));
}

/** What the API is asked for: the last day is shown whole. */
export function auditFilter(search: AuditSearch): AuditFilter {
  return {
    action: search.action,
    actor_id: search.actor,
    subject_id: search.subject,
    from: search.from && startOf(search.from, 0).toISOString(),
    to: search.to && startOf(search.to, 1).toISOString(),
  };
}

// The local midnight at which a day begins, or the one so many days later.
function startOf(day: string, later: number): Date {
  const [year, month, date] = day.split('-').map(Number) as [number, number, number];
  const found = new Date(year, month - 1, date + later);
  return later === 0 && found.getDate() !== date ? new Date(Number.NaN) : found;
}

export interface Day<T> {
  readonly key: string;
  readonly entries: T[];
}

/** Entries by the local day on which they happened, in their order. */
export function byDay<T extends { at: string }>(entries: readonly T[]): Day<T>[] {
  const days: Day<T>[] = [];
  for (const entry of entries) {
    const at = new Date(entry.at);
    const key = `${at.getFullYear()}-${at.getMonth() + 1}-${at.getDate()}`;
    const last = days.at(-1);
    if (last?.key === key) last.entries.push(entry);
    else days.push({ key, entries: [entry] });
  }
  return days;
}
