// What one looks for stands in the address, so that it can be shared and the
// way back leads to the same list.
import type { EventFilter } from '@/api/keys';

export const WHENS = ['any', 'today', 'week', 'month', 'now', 'past'] as const;
export type When = (typeof WHENS)[number];

export interface DiscoverSearch {
  q?: string;
  category?: string;
  when?: When;
  /** The id of the only organization whose events are shown. */
  org?: string;
}

const MAX_QUERY = 100;

/** Reads the address; what makes no sense is left out rather than refused. */
export function readDiscoverSearch(raw: Record<string, unknown>): DiscoverSearch {
  const search: DiscoverSearch = {};
  // A search for "2026" comes out of the address as a number.
  const q = typeof raw.q === 'number' ? String(raw.q) : raw.q;
  if (typeof q === 'string' && q.trim() !== '') search.q = q.slice(0, MAX_QUERY);
  if (typeof raw.category === 'string' && /^[a-z][a-z0-9-]{1,30}$/.test(raw.category))
    search.category = raw.category;
  if (typeof raw.org === 'string' && /^[0-9a-f-]{36}$/.test(raw.org)) search.org = raw.org;
  const when = WHENS.find((w) => w === raw.when);
  if (when && when !== 'any') search.when = when;
  return search;
}

const DAYS: Partial<Record<When, number>> = { today: 1, week: 7, month: 30 };

/**
 * The filter for the list. Times are cut to the day, so that the same search
 * is the same query for as long as a day lasts.
 */
export function filterOf(search: DiscoverSearch, now: Date): EventFilter {
  const filter: { -readonly [K in keyof EventFilter]: EventFilter[K] } = {};
  if (search.q) filter.q = search.q.trim();
  if (search.category) filter.category = search.category;
  if (search.org) filter.org_id = search.org;
  const when = search.when ?? 'any';
  filter.status = when === 'now' ? 'ongoing' : when === 'past' ? 'completed' : 'upcoming';
  const days = DAYS[when];
  if (days) {
    const start = new Date(now.getFullYear(), now.getMonth(), now.getDate());
    const end = new Date(now.getFullYear(), now.getMonth(), now.getDate() + days);
    filter.from = start.toISOString();
    filter.to = end.toISOString();
  }
  return filter;
}
