import { t } from '@lingui/core/macro';
import { BellOff, CheckCheck, Settings2 } from 'lucide-react';
import { useState } from 'react';
import { useMarkRead, useNotifications } from '@/api/notifications';
import { useMyInvites } from '@/api/organizations';
import { Failure } from '@/app/ErrorScreen';
import { useTitle } from '@/app/title';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { Button, ButtonLink } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { EmptyState } from '@/ui/EmptyState';
import { PageHeader } from '@/ui/PageHeader';
import { Segmented } from '@/ui/Segmented';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { InviteCards } from './InviteCards';
import { NotificationRow } from './NotificationRow';

/** Everything that one was told, and invitations that await an answer. */
export function NotificationsPage() {
  return <RequireSignIn>{() => <Notifications />}</RequireSignIn>;
}

function Notifications() {
  useTitle(t`Notifications`);
  const [show, setShow] = useState<'all' | 'unread'>('all');
  const list = useNotifications(show === 'unread', true);
  const invites = useMyInvites(true).data?.items ?? [];
  const markRead = useMarkRead();
  const items = list.data?.pages.flatMap((page) => page.items) ?? [];
  const unread = list.data?.pages[0]?.unread_count ?? 0;
  return (
    <div className="page max-w-3xl!">
      <PageHeader
        title={t`Notifications`}
        actions={
          <>
            {unread > 0 ? (
              <Button
                look="secondary"
                size="sm"
                icon={<CheckCheck aria-hidden="true" className="size-4" />}
                busy={markRead.isPending}
                onClick={() => markRead.mutate('all')}
              >
                {t`Mark all read`}
              </Button>
            ) : null}
            <ButtonLink
              to="/profile/{-$section}"
              params={{ section: 'notifications' }}
              look="ghost"
              size="sm"
              icon={<Settings2 aria-hidden="true" className="size-4" />}
            >
              {t`What comes by mail`}
            </ButtonLink>
          </>
        }
      />
      {invites.length > 0 ? (
        <section className="mb-8">
          <h2 className="mb-3 text-sm font-semibold text-muted">{t`Invitations`}</h2>
          <InviteCards invites={invites} />
        </section>
      ) : null}
      <Segmented
        label={t`Show`}
        value={show}
        onChange={setShow}
        options={[
          { value: 'all', label: t`All` },
          { value: 'unread', label: unread > 0 ? t`Unread (${unread})` : t`Unread` },
        ]}
      />
      <div className="mt-4">
        {list.isPending ? (
          <Loading className="space-y-3">
            <Skeleton className="h-20 rounded-xl" />
            <Skeleton className="h-20 rounded-xl" />
          </Loading>
        ) : list.isError && items.length === 0 ? (
          <Failure error={list.error} onRetry={() => void list.refetch()} />
        ) : items.length === 0 ? (
          <EmptyState icon={BellOff} title={show === 'unread' ? t`All caught up` : t`No news yet`}>
            {t`You are told here when a booking changes, a waitlist moves or an event is updated.`}
          </EmptyState>
        ) : (
          <Card className="overflow-hidden">
            <ul>
              {items.map((item) => (
                <NotificationRow key={item.id} item={item} />
              ))}
            </ul>
          </Card>
        )}
      </div>
      {list.hasNextPage ? (
        <div className="mt-6 flex justify-center">
          <Button look="secondary" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {t`Show more`}
          </Button>
        </div>
      ) : null}
    </div>
  );
}
