import { t } from '@lingui/core/macro';
import { useNavigate } from '@tanstack/react-router';
import { CalendarX2, Ellipsis, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useCancelEvent, useDeleteEvent } from '@/api/events';
import { hasCode } from '@/api/problem';
import type { Event } from '@/api/types';
import { explain } from '@/app/explain';
import { IconButton } from '@/ui/Button';
import { Confirm } from '@/ui/Dialog';
import { Menu, MenuItem } from '@/ui/Menu';
import { toast } from '@/ui/toast';

/** Cancelling and deleting, each asked for twice. */
export function EventActions({ event }: { event: Event }) {
  const [asking, setAsking] = useState<'cancel' | 'delete' | null>(null);
  const cancel = useCancelEvent(event.id);
  const remove = useDeleteEvent(event.id);
  const navigate = useNavigate();
  const cancellable = event.status === 'upcoming' || event.status === 'ongoing';
  const confirmCancel = () =>
    cancel.mutate(undefined, {
      onSuccess: () => {
        setAsking(null);
        toast('good', t`The event is cancelled`, t`Everybody who booked is being told.`);
      },
      onError: (error) => toast('bad', t`Not cancelled`, explain(error)),
    });
  const confirmDelete = () =>
    remove.mutate(undefined, {
      onSuccess: () => {
        toast('good', t`The event is deleted`);
        void navigate({ to: '/manage', search: { org: event.org_id } });
      },
      onError: (error) => {
        setAsking(hasCode(error, 'event_has_bookings') && cancellable ? 'cancel' : null);
        toast('bad', t`Not deleted`, explain(error));
      },
    });
  return (
    <>
      <Menu
        label={t`More actions`}
        trigger={
          <IconButton label={t`More actions`} className="border border-line bg-surface">
            <Ellipsis aria-hidden="true" className="size-5" />
          </IconButton>
        }
      >
        {cancellable ? (
          <MenuItem icon={<CalendarX2 />} tone="bad" onSelect={() => setAsking('cancel')}>
            {t`Cancel event…`}
          </MenuItem>
        ) : null}
        <MenuItem icon={<Trash2 />} tone="bad" onSelect={() => setAsking('delete')}>
          {t`Delete event…`}
        </MenuItem>
      </Menu>
      <Confirm
        open={asking === 'cancel'}
        onOpenChange={(open) => !open && setAsking(null)}
        title={t`Cancel “${event.name}”?`}
        action={t`Cancel event`}
        keep={t`Keep it`}
        busy={cancel.isPending}
        onConfirm={confirmCancel}
      >
        {t`All bookings and the waitlist end at once, and everybody is told. This cannot be undone.`}
      </Confirm>
      <Confirm
        open={asking === 'delete'}
        onOpenChange={(open) => !open && setAsking(null)}
        title={t`Delete “${event.name}”?`}
        action={t`Delete event`}
        keep={t`Keep it`}
        busy={remove.isPending}
        onConfirm={confirmDelete}
      >
        {t`It disappears for good. This only works while nobody has ever booked it.`}
      </Confirm>
    </>
  );
}
