import { t } from '@lingui/core/macro';
import { getRouteApi } from '@tanstack/react-router';
import { MailOpen, MailWarning } from 'lucide-react';
import { signInUrl, signUpUrl, useMe } from '@/api/me';
import { useMyInvites } from '@/api/organizations';
import type { Me } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { useTitle } from '@/app/title';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { buttonClass } from '@/ui/Button';
import { EmptyState } from '@/ui/EmptyState';
import { Notice } from '@/ui/Notice';
import { PageHeader } from '@/ui/PageHeader';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { InviteCards } from './InviteCards';
import { LinkedInvitation } from './LinkedInvitation';

const route = getRouteApi('/invites');

/** Where a mailed invitation leads to, whoever opens it. */
export function InvitesPage() {
  const { token } = route.useSearch();
  const me = useMe();
  if (token !== undefined && me === null) return <Invited />;
  return <RequireSignIn>{(someone) => <Invites me={someone} token={token} />}</RequireSignIn>;
}

// The invited often have no account yet, and must learn here which address to
// make it with.
function Invited() {
  useTitle(t`Invitation`);
  return (
    <div className="page py-10">
      <EmptyState
        page
        icon={MailOpen}
        title={t`You are invited`}
        action={
          <>
            <a href={signUpUrl()} className={buttonClass()}>
              {t`Create an account`}
            </a>
            <a href={signInUrl()} className={buttonClass('secondary')}>
              {t`I have one: sign in`}
            </a>
          </>
        }
      >
        {t`An organization wants you to join. Use the address that the invitation was mailed to: it tells us that it is you. You come back right here to see who invites you and to answer.`}
      </EmptyState>
    </div>
  );
}

function Invites({ me, token }: { me: Me; token: string | undefined }) {
  const { data, isPending, error, refetch } = useMyInvites(true);
  const invites = data?.items ?? [];
  useTitle(t`Invitations`);
  return (
    <div className="page max-w-3xl!">
      <PageHeader
        title={t`Invitations`}
        lead={<span className="wrap-anywhere">{t`Sent to ${me.email}`}</span>}
      />
      {me.email_verified ? null : (
        <Notice tone="warn" title={t`Confirm your address first`} className="mb-4">
          {t`Invitations show up once you follow the link that we sent you.`}
        </Notice>
      )}
      {token === undefined ? null : <LinkedInvitation token={token} me={me} />}
      <InviteCards invites={invites} />
      {isPending ? (
        <Loading>
          <Skeleton className="h-20 rounded-xl" />
        </Loading>
      ) : error ? (
        <Failure error={error} onRetry={() => void refetch()} />
      ) : invites.length === 0 && token === undefined ? (
        <EmptyState icon={me.email_verified ? MailOpen : MailWarning} title={t`No open invitations`}>
          {t`An invitation is for one address. If yours went to another one, sign in with that one.`}
        </EmptyState>
      ) : null}
    </div>
  );
}
