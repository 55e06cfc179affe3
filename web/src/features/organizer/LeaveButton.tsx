import { t } from '@lingui/core/macro';
import { useNavigate } from '@tanstack/react-router';
import { LogOut } from 'lucide-react';
import { useState } from 'react';
import { useForgetOrganization, useLeaveOrganization } from '@/api/organizations';
import { hasCode } from '@/api/problem';
import type { Me } from '@/api/types';
import { explain } from '@/app/explain';
import type { Membership } from '@/features/organization/current';
import { Button, type ButtonSize } from '@/ui/Button';
import { Confirm, Dialog } from '@/ui/Dialog';
import { toast } from '@/ui/toast';

/** Leaves an organization, after asking; the last administrator learns why that is not possible. */
export function LeaveButton({ me, org, size }: { me: Me; org: Membership; size?: ButtonSize }) {
  const [asking, setAsking] = useState(false);
  const [last, setLast] = useState(false);
  const leave = useLeaveOrganization(org.id);
  const forget = useForgetOrganization();
  const navigate = useNavigate();
  const confirm = () =>
    leave.mutate(me.id, {
      onSuccess: async () => {
        toast('good', t`You left ${org.name}`);
        await navigate({ to: '/', ignoreBlocker: true });
        await forget(org.id);
      },
      onError: (error) => {
        setAsking(false);
        if (hasCode(error, 'last_org_admin')) setLast(true);
        else toast('bad', t`You are still a member`, explain(error));
      },
    });
  return (
    <>
      <Button
        look="secondary"
        size={size ?? 'md'}
        icon={<LogOut aria-hidden="true" className="size-4" />}
        onClick={() => setAsking(true)}
      >
        {t`Leave…`}
      </Button>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title={t`Leave ${org.name}?`}
        action={t`Leave`}
        keep={t`Stay`}
        busy={leave.isPending}
        onConfirm={confirm}
      >
        {t`You no longer see its members-only events, and what you could do there ends at once. Your bookings stay yours.`}
      </Confirm>
      <LastAdminDialog open={last} onOpenChange={setLast} />
    </>
  );
}

/** Why the only administrator can't go, and what to do instead. */
export function LastAdminDialog({
  open,
  onOpenChange,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={t`There would be no administrator left`}
      footer={<Button onClick={() => onOpenChange(false)}>{t`Understood`}</Button>}
    >
      <p className="text-sm text-muted">
        {t`Somebody must be able to look after the organization. Make another member an administrator first; after that this works.`}
      </p>
    </Dialog>
  );
}
