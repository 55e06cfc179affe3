import { t } from '@lingui/core/macro';
import { getRouteApi } from '@tanstack/react-router';
import { CalendarSearch } from 'lucide-react';
import { lazy, Suspense, useEffect, useRef } from 'react';
import { useEventList } from '@/api/events';
import { useMe } from '@/api/me';
import { Failure } from '@/app/ErrorScreen';
import { useTitle } from '@/app/title';
import { Button } from '@/ui/Button';
import { cx } from '@/ui/classes';
import { EmptyState } from '@/ui/EmptyState';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { EventCard } from './EventCard';
import { Filters } from './Filters';
import { type DiscoverSearch, filterOf } from './search';

const route = getRouteApi('/');
// For newcomers only, who see it once.
const OrganizerOffer = lazy(() =>
  import('@/features/account/OrganizerOffer').then((m) => ({ default: m.OrganizerOffer })),
);

/** What is on: search, filters and the list. */
export function Discover() {
  const me = useMe();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const list = useEventList(filterOf(search, new Date()));
  useTitle(t`Discover`);
  const org = me?.organizations?.find((o) => o.id === search.org)?.name;
  const orgName = org ?? list.data?.pages[0]?.items[0]?.org_name ?? t`one organization`;
  const change = (next: DiscoverSearch) => void navigate({ search: next, replace: true, resetScroll: false });
  return (
    <div className="page pt-8 sm:pt-12">
      <h1 className={cx('font-bold', me === null ? 'max-w-xl text-2xl sm:text-3xl' : 'text-2xl')}>
        {me === null ? t`Find your next evening out` : t`Discover`}
      </h1>
      {me === null ? (
        <p className="mt-2 max-w-xl text-muted sm:text-lg">
          {t`Choose your seats on a live map, and never lose your place in line.`}
        </p>
      ) : null}
      {me?.organizations.length === 0 ? (
        <Suspense>
          <OrganizerOffer key={me.id} userId={me.id} />
        </Suspense>
      ) : null}
      <Filters search={search} orgName={orgName} onChange={change} />
      <Results list={list} search={search} onClear={() => change({})} />
    </div>
  );
}

function Results({
  list,
  search,
  onClear,
}: {
  list: ReturnType<typeof useEventList>;
  search: DiscoverSearch;
  onClear: () => void;
}) {
  if (list.isPending) return <CardSkeletons />;
  if (list.isError && !list.data) return <Failure error={list.error} onRetry={() => void list.refetch()} />;
  const events = list.data.pages.flatMap((page) => page.items);
  if (events.length === 0) {
    const narrowed = Boolean(search.q || search.category || search.when || search.org);
    return (
      <EmptyState
        icon={CalendarSearch}
        title={narrowed ? t`No events match` : t`Nothing is coming up`}
        action={
          narrowed ? <Button look="secondary" onClick={onClear}>{t`Show all events`}</Button> : undefined
        }
      >
        {narrowed
          ? t`Try another word, a wider date or another category.`
          : t`New events appear here as soon as they are published.`}
      </EmptyState>
    );
  }
  return (
    <>
      <ul
        aria-label={t`Events`}
        aria-busy={list.isPlaceholderData}
        className={cx(
          'mt-6 grid gap-3 transition-opacity sm:grid-cols-2 sm:gap-5 lg:grid-cols-3',
          list.isPlaceholderData && 'opacity-60',
        )}
      >
        {events.map((event) => (
          <EventCard key={event.id} event={event} />
        ))}
      </ul>
      {list.hasNextPage ? (
        <More loading={list.isFetchingNextPage} onMore={() => void list.fetchNextPage()} />
      ) : null}
    </>
  );
}

// The next page comes by itself when one nears the end; the button is for
// keyboards and for when it doesn't.
function More({ loading, onMore }: { loading: boolean; onMore: () => void }) {
  const ref = useRef<HTMLDivElement>(null);
  const latest = useRef(onMore);
  useEffect(() => {
    latest.current = onMore;
  });
  useEffect(() => {
    const node = ref.current;
    if (!node || loading) return undefined;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some((entry) => entry.isIntersecting)) latest.current();
      },
      { rootMargin: '600px' },
    );
    observer.observe(node);
    return () => observer.disconnect();
  }, [loading]);
  return (
    <div ref={ref} className="mt-8 flex justify-center">
      <Button look="secondary" busy={loading} onClick={onMore}>
        {t`Show more events`}
      </Button>
    </div>
  );
}

function CardSkeletons() {
  return (
    <Loading className="mt-6 grid gap-3 sm:grid-cols-2 sm:gap-5 lg:grid-cols-3">
      {['a', 'b', 'c', 'd', 'e', 'f'].map((key) => (
        <div key={key} className="flex overflow-hidden rounded-xl border border-line bg-surface sm:flex-col">
          <Skeleton className="w-24 rounded-none sm:aspect-[2/1] sm:w-full" />
          <div className="flex-1 space-y-3 p-4">
            <Skeleton className="h-5 w-4/5" />
            <Skeleton className="h-4 w-2/5" />
            <Skeleton className="h-4 w-3/5" />
            <Skeleton className="h-1.5 w-full" />
          </div>
        </div>
      ))}
    </Loading>
  );
}
