import { t } from '@lingui/core/macro';
import { Search, X } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { cx } from '@/ui/classes';
import { Select } from '@/ui/Field';
import { CATEGORIES, categoryName } from './categories';
import type { DiscoverSearch, When } from './search';

const TYPING_PAUSE_MS = 250;

export function Filters({
  search,
  orgName,
  onChange,
}: {
  search: DiscoverSearch;
  /** Of the organization that the search is narrowed to. */
  orgName: string;
  onChange: (next: DiscoverSearch) => void;
}) {
  return (
    <search className="mt-6 block">
      <div className="flex flex-col gap-2.5 sm:flex-row">
        <SearchBox
          value={search.q ?? ''}
          onChange={(q) => onChange(without(search, { q: q || undefined }))}
        />
        <Select
          aria-label={t`When`}
          value={search.when ?? 'any'}
          onChange={(e) => {
            const when = e.target.value as When;
            onChange(without(search, { when: when === 'any' ? undefined : when }));
          }}
          large
          className="sm:w-48"
        >
          <option value="any">{t`Any date`}</option>
          <option value="today">{t`Today`}</option>
          <option value="week">{t`Next 7 days`}</option>
          <option value="month">{t`Next 30 days`}</option>
          <option value="now">{t`Happening now`}</option>
          <option value="past">{t`Past events`}</option>
        </Select>
      </div>
      <fieldset className="-mx-4 mt-3 overflow-x-auto px-4 [scrollbar-width:none] sm:mx-0 sm:px-0">
        <legend className="sr-only">{t`Category`}</legend>
        <div className="flex gap-1.5 py-1 sm:flex-wrap">
          {search.org ? (
            <Chip on onPress={() => onChange(without(search, { org: undefined }))}>
              {t`Only ${orgName}`}
              <X aria-hidden="true" className="size-4" />
            </Chip>
          ) : null}
          <Chip on={!search.category} onPress={() => onChange(without(search, { category: undefined }))}>
            {t`All`}
          </Chip>
          {CATEGORIES.map(({ key, icon: Icon }) => (
            <Chip
              key={key}
              on={search.category === key}
              onPress={() =>
                onChange(without(search, { category: search.category === key ? undefined : key }))
              }
            >
              <Icon aria-hidden="true" className="size-4" />
              {categoryName(key)}
            </Chip>
          ))}
        </div>
      </fieldset>
    </search>
  );
}

// Lays a change over the search and drops what is not set, so that it doesn't
// stand in the address.
function without(
  search: DiscoverSearch,
  change: { [K in keyof DiscoverSearch]?: DiscoverSearch[K] | undefined },
): DiscoverSearch {
  const merged = { ...search, ...change };
  const next: DiscoverSearch = {};
  if (merged.q) next.q = merged.q;
  if (merged.category) next.category = merged.category;
  if (merged.when) next.when = merged.when;
  if (merged.org) next.org = merged.org;
  return next;
}

function Chip({ on, onPress, children }: { on: boolean; onPress: () => void; children: React.ReactNode }) {
  return (
    <button
      type="button"
      aria-pressed={on}
      onClick={onPress}
      className={cx(
        'flex h-9 shrink-0 items-center gap-1 rounded-full border px-3 text-[0.8125rem] font-semibold transition-colors',
        on
          ? 'border-transparent bg-ink text-ground'
          : 'border-line bg-surface text-muted hover:border-line-strong hover:text-ink',
      )}
    >
      {children}
    </button>
  );
}

// The box is its own master while one types; the address follows after a pause.
function SearchBox({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [text, setText] = useState(value);
  const latest = useRef(onChange);
  const sent = useRef(value);
  useEffect(() => {
    latest.current = onChange;
  });
  useEffect(() => {
    if (text === sent.current) return undefined;
    const timer = setTimeout(() => {
      sent.current = text;
      latest.current(text);
    }, TYPING_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  // Going back, or clearing the filters, changes the address from outside.
  useEffect(() => {
    if (value !== sent.current) {
      sent.current = value;
      setText(value);
    }
  }, [value]);
  return (
    <div className="relative flex-1">
      <Search
        aria-hidden="true"
        className="pointer-events-none absolute top-1/2 left-4 size-5 -translate-y-1/2 text-muted"
      />
      <input
        type="search"
        aria-label={t`Search events`}
        placeholder={t`Search events, places, organizers`}
        value={text}
        onChange={(e) => setText(e.target.value)}
        maxLength={100}
        className="h-12 w-full rounded-lg border border-line-strong/60 bg-surface pr-11 pl-12 text-base placeholder:text-muted hover:border-line-strong focus:outline-2 focus:outline-offset-0 focus:outline-accent-ink [&::-webkit-search-cancel-button]:hidden"
      />
      {text ? (
        <button
          type="button"
          aria-label={t`Clear search`}
          onClick={() => setText('')}
          className="absolute top-1/2 right-2 grid size-9 -translate-y-1/2 place-items-center rounded-full text-muted hover:bg-sunken hover:text-ink"
        >
          <X aria-hidden="true" className="size-4" />
        </button>
      ) : null}
    </div>
  );
}
