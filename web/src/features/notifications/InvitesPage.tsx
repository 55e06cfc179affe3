import { t } from '@lingui/core/macro';
import { MailOpen, MailWarning } from 'lucide-react';
import { useMyInvites } from '@/api/organizations';
import type { Me } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { EmptyState } from '@/ui/EmptyState';
import { Notice } from '@/ui/Notice';
import { PageHeader } from '@/ui/PageHeader';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { InviteCards } from './InviteCards';

/** Where a mailed invitation leads to. */
export function InvitesPage() {
  return <RequireSignIn>{(me) => <Invites me={me} />}</RequireSignIn>;
}

function Invites({ me }: { me: Me }) {
  const { data, isPending, error, refetch } = useMyInvites(true);
  const invites = data?.items ?? [];
  return (
    <div className="page max-w-3xl!">
      <PageHeader title={t`Invitations`} lead={t`Sent to ${me.email}`} />
      {me.email_verified ? null : (
        <Notice tone="warn" title={t`Confirm your address first`} className="mb-4">
          {t`Invitations show up once you follow the link that we sent you.`}
        </Notice>
      )}
      {isPending ? (
        <Loading>
          <Skeleton className="h-20 rounded-xl" />
        </Loading>
      ) : error ? (
        <Failure error={error} onRetry={() => void refetch()} />
      ) : invites.length > 0 ? (
        <InviteCards invites={invites} />
      ) : (
        <EmptyState icon={me.email_verified ? MailOpen : MailWarning} title={t`No open invitations`}>
          {t`An invitation is for one address. If yours went to another one, sign in with that one.`}
        </EmptyState>
      )}
    </div>
  );
}
