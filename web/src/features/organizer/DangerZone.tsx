import { t } from '@lingui/core/macro';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useEventList } from '@/api/events';
import { useDeleteOrganization, useForgetOrganization } from '@/api/organizations';
import { hasCode } from '@/api/problem';
import type { Me } from '@/api/types';
import { explain } from '@/app/explain';
import type { Membership } from '@/features/organization/current';
import { Button } from '@/ui/Button';
import { Confirm } from '@/ui/Dialog';
import { Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { toast } from '@/ui/toast';
import { LeaveButton } from './LeaveButton';

/** Leaving an organization, and ending it for everybody. */
export function DangerZone({ me, org }: { me: Me; org: Membership }) {
  return (
    <Panel title={t`Leave or delete`} className="border-bad/40!">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <p className="min-w-0 max-w-md text-sm wrap-anywhere">
          <span className="block font-semibold">{t`Leave ${org.name}`}</span>
          <span className="text-muted">
            {t`Your bookings stay yours. To come back you need a new invitation.`}
          </span>
        </p>
        <LeaveButton me={me} org={org} />
      </div>
      <hr className="border-line" />
      <Delete org={org} />
    </Panel>
  );
}

function Delete({ org }: { org: Membership }) {
  const [asking, setAsking] = useState(false);
  const [full, setFull] = useState(false);
  const events = useEventList({ org_id: org.id });
  const remove = useDeleteOrganization(org.id);
  const forget = useForgetOrganization();
  const navigate = useNavigate();
  const notEmpty = full || (events.data?.pages[0]?.items.length ?? 0) > 0;
  const confirm = () =>
    remove.mutate(undefined, {
      onSuccess: async () => {
        toast('good', t`${org.name} is deleted`);
        await navigate({ to: '/', ignoreBlocker: true });
        await forget(org.id);
      },
      onError: (error) => {
        setAsking(false);
        if (hasCode(error, 'organization_not_empty')) setFull(true);
        else toast('bad', t`Not deleted`, explain(error));
      },
    });
  return (
    <div className="space-y-3">
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-3">
        <p className="min-w-0 max-w-md text-sm wrap-anywhere">
          <span className="block font-semibold">{t`Delete ${org.name}`}</span>
          <span className="text-muted">
            {t`Its public page, members and invitations disappear for good. This works only while it has no events.`}
          </span>
        </p>
        <Button
          look="danger"
          disabled={events.isPending || notEmpty}
          aria-describedby={notEmpty ? 'not-empty' : undefined}
          onClick={() => setAsking(true)}
        >
          {t`Delete organization…`}
        </Button>
      </div>
      {notEmpty ? (
        <div id="not-empty">
          <Notice tone="neutral" title={t`It has events, so it can't be deleted`}>
            {t`Past and cancelled ones count, too: people's bookings refer to them. Events that nobody ever booked can be deleted one by one.`}
          </Notice>
        </div>
      ) : null}
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title={t`Delete ${org.name}?`}
        action={t`Delete organization`}
        keep={t`Keep it`}
        busy={remove.isPending}
        onConfirm={confirm}
      >
        {t`All members lose it at once, and open invitations end. This cannot be undone.`}
      </Confirm>
    </div>
  );
}
