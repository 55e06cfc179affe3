import { describe, expect, it } from 'vitest';
import { filterOf, readDiscoverSearch } from './search';

describe('the address', () => {
  it.each([
    [{}, {}],
    [
      { q: 'jazz', category: 'concert', when: 'week' },
      { q: 'jazz', category: 'concert', when: 'week' },
    ],
    [{ q: 2026 }, { q: '2026' }],
    [{ org: '0190a000-0000-7000-8000-000000000001' }, { org: '0190a000-0000-7000-8000-000000000001' }],
    [{ org: 'theirs' }, {}],
    [{ q: '   ', category: 'No Such', when: 'someday' }, {}],
    [{ when: 'any' }, {}],
  ])('%j is read as %j', (raw, want) => expect(readDiscoverSearch(raw)).toEqual(want));
});

describe('the filter', () => {
  const now = new Date(2026, 10, 22, 15, 30);

  it('asks for what is upcoming unless told otherwise', () => {
    expect(filterOf({}, now)).toEqual({ status: 'upcoming' });
    expect(filterOf({ when: 'now' }, now)).toEqual({ status: 'ongoing' });
    expect(filterOf({ when: 'past', q: ' jazz ' }, now)).toEqual({ status: 'completed', q: 'jazz' });
  });

  it('is the same all day', () => {
    const morning = filterOf({ when: 'week' }, new Date(2026, 10, 22, 0, 0, 1));
    expect(filterOf({ when: 'week' }, now)).toEqual(morning);
    expect(morning.to).toBe(new Date(2026, 10, 29).toISOString());
  });
});
