import { t } from '@lingui/core/macro';
import { History } from 'lucide-react';
import type { useEventAudit } from '@/api/audit';
import { Failure } from '@/app/ErrorScreen';
import { longDate, viewerZone } from '@/lib/format';
import type { House } from '@/seatmap/house';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { cx } from '@/ui/classes';
import { EmptyState } from '@/ui/EmptyState';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { AuditRow } from './AuditRow';
import { byDay } from './auditSearch';

export type Only = (change: { actor?: string; subject?: string }) => void;

/** The record, the newest first, day by day. */
export function AuditList({
  list,
  narrowed,
  onClear,
  onOnly,
  house,
}: {
  list: ReturnType<typeof useEventAudit>;
  narrowed?: boolean;
  onClear?: () => void;
  /** Narrows the list to somebody or something; absent where that can't be. */
  onOnly?: Only;
  /** Of the event that all entries are about, if there is one. */
  house?: House | null | undefined;
}) {
  if (list.isPending) {
    return (
      <Loading className="mt-6 space-y-2">
        <Skeleton className="h-16 rounded-xl" />
        <Skeleton className="h-16 rounded-xl" />
        <Skeleton className="h-16 rounded-xl" />
      </Loading>
    );
  }
  const entries = list.data?.pages.flatMap((page) => page.items) ?? [];
  if (list.isError && entries.length === 0)
    return <Failure error={list.error} onRetry={() => void list.refetch()} />;
  if (entries.length === 0) {
    return (
      <EmptyState
        icon={History}
        title={narrowed ? t`Nothing of that kind happened` : t`Nothing is recorded yet`}
        action={
          narrowed && onClear ? (
            <Button look="secondary" onClick={onClear}>{t`Show everything`}</Button>
          ) : undefined
        }
      >
        {narrowed ? t`Try a wider time, or somebody else.` : null}
      </EmptyState>
    );
  }
  const zone = viewerZone();
  return (
    <div
      aria-busy={list.isPlaceholderData}
      className={cx('mt-6 space-y-6 transition-opacity', list.isPlaceholderData && 'opacity-60')}
    >
      {byDay(entries).map(({ key, entries: ofDay }) => (
        <section key={key} aria-labelledby={`day-${key}`}>
          <h2 id={`day-${key}`} className="mb-2 text-sm font-semibold text-muted">
            {longDate(ofDay[0]?.at ?? '', zone)}
          </h2>
          <Card className="overflow-hidden">
            <ol className="divide-y divide-line">
              {ofDay.map((entry) => (
                <AuditRow key={entry.id} entry={entry} house={house} onOnly={onOnly} />
              ))}
            </ol>
          </Card>
        </section>
      ))}
      {list.hasNextPage ? (
        <div className="flex justify-center">
          <Button look="secondary" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {t`Show older`}
          </Button>
        </div>
      ) : null}
    </div>
  );
}
