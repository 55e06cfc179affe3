import { t } from '@lingui/core/macro';
import { UserMinus } from 'lucide-react';
import { useState } from 'react';
import { useChangeRole, useRemoveMember } from '@/api/organizations';
import { hasCode } from '@/api/problem';
import type { Me, Member, Role } from '@/api/types';
import { explain } from '@/app/explain';
import type { Membership } from '@/features/organization/current';
import { atLeast, roleExplained, roleName } from '@/features/organization/roles';
import { moment } from '@/lib/format';
import { Avatar } from '@/ui/Avatar';
import { Badge } from '@/ui/Badge';
import { IconButton } from '@/ui/Button';
import { Confirm } from '@/ui/Dialog';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';
import { LastAdminDialog, LeaveButton } from './LeaveButton';
import { RolePicker } from './RolePicker';

/** One member, with what the viewer may do about them. */
export function MemberRow({
  member,
  me,
  org,
  onRemove,
}: {
  member: Member;
  me: Me;
  org: Membership;
  /** Hears of it before the row goes. */
  onRemove: () => void;
}) {
  const self = member.user_id === me.id;
  const admin = atLeast(org.role, 'orgAdmin');
  const name = member.name || member.email || t`Somebody`;
  const since = moment(member.created_at);
  return (
    <li data-row tabIndex={-1} className="flex flex-wrap items-center gap-x-3.5 gap-y-3 p-4">
      <Avatar name={name} seed={member.user_id} />
      <div className="min-w-0 flex-1 basis-44">
        <p className="text-sm font-semibold wrap-anywhere">
          {name}
          {self ? <span className="font-normal text-muted"> · {t`you`}</span> : null}
        </p>
        <p className="text-sm wrap-anywhere text-muted">{member.email ?? t`Member since ${since}`}</p>
      </div>
      <div className="flex items-center gap-2 max-sm:w-full max-sm:pl-[3.125rem]">
        {admin ? (
          <RoleSelect member={member} name={name} self={self} orgId={org.id} />
        ) : (
          <Badge tone={member.role === 'user' ? 'neutral' : 'accent'}>{roleName(member.role)}</Badge>
        )}
        {self ? (
          <LeaveButton me={me} org={org} />
        ) : admin ? (
          <RemoveButton member={member} name={name} org={org} onRemove={onRemove} />
        ) : null}
      </div>
    </li>
  );
}

// Giving somebody everything, or giving up one's own, is asked for once more.
function mustAsk(from: Role, to: Role, self: boolean): boolean {
  return to === 'orgAdmin' || (self && from === 'orgAdmin');
}

function RoleSelect({
  member,
  name,
  self,
  orgId,
}: {
  member: Member;
  name: string;
  self: boolean;
  orgId: string;
}) {
  const change = useChangeRole(orgId);
  const [wanted, setWanted] = useState<Role | null>(null);
  const [last, setLast] = useState(false);
  const once = useOnce();
  const apply = (role: Role) =>
    once(async () => {
      try {
        await change.mutateAsync({ userId: member.user_id, role });
        toast('good', t`${name} is now: ${roleName(role)}`);
      } catch (error) {
        if (hasCode(error, 'last_org_admin')) setLast(true);
        else toast('bad', t`The role stays as it is`, explain(error));
      } finally {
        setWanted(null);
      }
    });
  const choose = (role: Role) => {
    if (role === member.role) return;
    if (mustAsk(member.role, role, self)) setWanted(role);
    else apply(role);
  };
  // What is being changed is shown as wanted; a refusal shows the truth again.
  const pending = change.isPending ? change.variables.role : null;
  return (
    <>
      <RolePicker
        label={t`Role of ${name}`}
        value={pending ?? wanted ?? member.role}
        busy={change.isPending}
        onPick={choose}
      />
      <Confirm
        open={wanted !== null}
        onOpenChange={(open) => !open && setWanted(null)}
        title={self ? t`Give up being an administrator?` : t`Make ${name} an administrator?`}
        action={self ? t`Give it up` : t`Make administrator`}
        keep={t`Leave it as it is`}
        busy={change.isPending}
        onConfirm={() => wanted && apply(wanted)}
      >
        {self
          ? t`You can't change people, invitations or settings any more, and only another administrator can undo this.`
          : roleExplained('orgAdmin')}
      </Confirm>
      <LastAdminDialog open={last} onOpenChange={setLast} />
    </>
  );
}

function RemoveButton({
  member,
  name,
  org,
  onRemove,
}: {
  member: Member;
  name: string;
  org: Membership;
  onRemove: () => void;
}) {
  const remove = useRemoveMember(org.id);
  const [asking, setAsking] = useState(false);
  const [last, setLast] = useState(false);
  const once = useOnce();
  const confirm = () =>
    once(async () => {
      onRemove();
      try {
        await remove.mutateAsync(member.user_id);
        toast('good', t`${name} is removed`);
      } catch (error) {
        if (hasCode(error, 'last_org_admin')) setLast(true);
        else toast('bad', t`Not removed`, explain(error));
      } finally {
        setAsking(false);
      }
    });
  return (
    <>
      <IconButton label={t`Remove ${name}`} onClick={() => setAsking(true)}>
        <UserMinus aria-hidden="true" className="size-5" />
      </IconButton>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title={t`Remove ${name}?`}
        action={t`Remove`}
        keep={t`Keep`}
        busy={remove.isPending}
        onConfirm={confirm}
      >
        {t`${name} loses access to ${org.name} at once, also where it is open right now. Bookings stay; to come back takes a new invitation.`}
      </Confirm>
      <LastAdminDialog open={last} onOpenChange={setLast} />
    </>
  );
}
