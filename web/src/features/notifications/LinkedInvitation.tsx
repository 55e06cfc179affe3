import { t } from '@lingui/core/macro';
import { useState } from 'react';
import { useSignOut } from '@/api/me';
import { useInviteByToken } from '@/api/organizations';
import { isNotFound } from '@/api/problem';
import type { LinkedInvite, Me } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { roleName } from '@/features/organization/roles';
import { Button } from '@/ui/Button';
import { Notice } from '@/ui/Notice';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { toast } from '@/ui/toast';
import { Joined } from './InviteCards';

/**
 * What became of the invitation whose mailed link was opened. One that the
 * viewer can answer is not told here: it stands in the list below.
 */
export function LinkedInvitation({ token, me }: { token: string; me: Me }) {
  const { data: invite, error, isPending, refetch } = useInviteByToken(token);
  if (isPending) {
    return (
      <Loading className="mb-4">
        <Skeleton className="h-20 rounded-xl" />
      </Loading>
    );
  }
  if (invite) return <Explained invite={invite} me={me} />;
  if (!isNotFound(error)) return <Failure error={error} onRetry={() => void refetch()} />;
  return (
    <Notice tone="warn" className="mb-4" title={t`This link does not work any more`}>
      {t`A newer mail may have replaced it: use the link in the newest one. Invitations to your address also stand below.`}
    </Notice>
  );
}

function Explained({ invite, me }: { invite: LinkedInvite; me: Me }) {
  // An answer given on this visit is told where it was given.
  const [first] = useState(invite.status);
  if (invite.status === 'accepted' && first === 'pending') return null;
  if (invite.status === 'pending') {
    // An address that isn't confirmed yet is nobody's; that is told above.
    return invite.to_caller || !me.email_verified ? null : <ForAnother invite={invite} me={me} />;
  }
  const member = me.organizations?.find((org) => org.id === invite.org_id);
  if (invite.status === 'accepted' && invite.to_caller && member) {
    return (
      <div className="mb-4">
        <Joined orgId={member.id} orgName={invite.org_name} role={member.role} />
      </div>
    );
  }
  return (
    <Notice
      tone="neutral"
      className="mb-4"
      title={t`The invitation to ${invite.org_name} can't be answered any more`}
    >
      {closedBecause(invite)}
    </Notice>
  );
}

function closedBecause(invite: LinkedInvite): string {
  switch (invite.status) {
    case 'accepted':
      return t`It was accepted already.`;
    case 'rejected':
      return t`It was declined. If that was a mistake, ask for a new one.`;
    case 'revoked':
      return t`The organization has withdrawn it.`;
    default:
      return t`It has expired. Ask the organization for a new one.`;
  }
}

function ForAnother({ invite, me }: { invite: LinkedInvite; me: Me }) {
  const signOut = useSignOut();
  const [leaving, setLeaving] = useState(false);
  const role = roleName(invite.role);
  const change = () => {
    setLeaving(true);
    signOut(`${window.location.pathname}${window.location.search}`).catch(() => {
      setLeaving(false);
      toast('bad', t`You are still signed in`, t`We couldn't reach the server.`);
    });
  };
  return (
    <Notice
      tone="warn"
      className="mb-4"
      title={t`This invitation is for another account`}
      action={
        <Button size="sm" busy={leaving} onClick={change}>
          {t`Sign in with another account`}
        </Button>
      }
    >
      <p className="wrap-anywhere">
        {t`${invite.org_name} invites ${invite.email} as ${role}. You are signed in as ${me.email}.`}
      </p>
      <p>{t`That is another address than yours, and only the account with the invited address can accept. You come back right here.`}</p>
    </Notice>
  );
}
