import { plural, t } from '@lingui/core/macro';
import { Link } from '@tanstack/react-router';
import { Bell as BellIcon, BellOff } from 'lucide-react';
import { useState } from 'react';
import { useMarkRead, useRecentNotifications } from '@/api/notifications';
import { IconButton } from '@/ui/Button';
import { Popover } from '@/ui/Popover';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { NotificationRow } from './NotificationRow';

/** The bell with its unread count; the phone has it in the bottom bar instead. */
export function Bell() {
  const [open, setOpen] = useState(false);
  const { data, isPending } = useRecentNotifications(true);
  const markRead = useMarkRead();
  const unread = data?.unread_count ?? 0;
  const items = data?.items ?? [];
  const label = plural(unread, {
    0: 'Notifications',
    one: 'Notifications, # unread',
    other: 'Notifications, # unread',
  });
  return (
    <span className="hidden md:inline-flex">
      <Popover
        open={open}
        onOpenChange={setOpen}
        title={t`Notifications`}
        trigger={
          <IconButton label={label}>
            <BellIcon aria-hidden="true" className="size-5" />
            {unread > 0 ? (
              <span
                aria-hidden="true"
                className="figures absolute top-1 right-0.5 grid h-[1.15rem] min-w-[1.15rem] place-items-center rounded-full border-2 border-ground bg-bad-fill px-1 text-[0.65rem] leading-none font-bold text-on-accent"
              >
                {unread > 99 ? '99+' : unread}
              </span>
            ) : null}
          </IconButton>
        }
      >
        <div className="flex items-center justify-between border-b border-line px-4 py-3">
          <h2 className="text-sm font-semibold">{t`Notifications`}</h2>
          {unread > 0 ? (
            <button
              type="button"
              className="rounded-sm text-sm font-semibold text-accent-ink hover:underline"
              onClick={() => markRead.mutate('all')}
            >
              {t`Mark all read`}
            </button>
          ) : null}
        </div>
        {isPending ? (
          <Loading className="space-y-4 p-4">
            <Skeleton className="h-10" />
            <Skeleton className="h-10" />
          </Loading>
        ) : items.length === 0 ? (
          <p className="flex flex-col items-center gap-2 px-6 py-10 text-center text-sm text-muted">
            <BellOff aria-hidden="true" className="size-6" />
            {t`Nothing yet. News about your bookings appears here.`}
          </p>
        ) : (
          <ul className="max-h-[24rem] overflow-y-auto">
            {items.map((item) => (
              <NotificationRow key={item.id} item={item} compact onFollow={() => setOpen(false)} />
            ))}
          </ul>
        )}
        <Link
          to="/notifications"
          onClick={() => setOpen(false)}
          className="block border-t border-line px-4 py-3 text-center text-sm font-semibold text-accent-ink hover:bg-sunken focus-visible:outline-offset-[-3px]"
        >
          {t`See all`}
        </Link>
      </Popover>
    </span>
  );
}
