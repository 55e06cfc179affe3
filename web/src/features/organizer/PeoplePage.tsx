import { t } from '@lingui/core/macro';
import { getRouteApi } from '@tanstack/react-router';
import { UserX } from 'lucide-react';
import { useMembers, useOrgInvites, useRevokeInvite } from '@/api/organizations';
import type { Me } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { explain } from '@/app/explain';
import { useTitle } from '@/app/title';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { roleName } from '@/features/notifications/InviteCards';
import { until } from '@/lib/format';
import { Avatar } from '@/ui/Avatar';
import { Badge } from '@/ui/Badge';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { BackLink, PageHeader } from '@/ui/PageHeader';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { toast } from '@/ui/toast';
import { InviteForm } from './InviteForm';

const route = getRouteApi('/manage/$orgId/people');

/** Who belongs to an organization, and inviting more. */
export function PeoplePage() {
  const { orgId } = route.useParams();
  return <RequireSignIn>{(me) => <People me={me} orgId={orgId} />}</RequireSignIn>;
}

function People({ me, orgId }: { me: Me; orgId: string }) {
  const org = (me.organizations ?? []).find((o) => o.id === orgId);
  const admin = org?.role === 'orgAdmin';
  const members = useMembers(orgId);
  useTitle(org ? t`People of ${org.name}` : t`People`);
  if (members.isError) return <Failure page error={members.error} onRetry={() => void members.refetch()} />;
  return (
    <div className="page max-w-3xl!">
      <PageHeader
        back={<BackLink to="/manage" search={{ org: orgId }}>{t`Organize`}</BackLink>}
        title={t`People`}
        lead={org?.name}
      />
      {admin ? <InviteForm orgId={orgId} /> : null}
      {admin ? <PendingInvites orgId={orgId} /> : null}
      <section className="mt-8">
        <h2 className="mb-3 text-sm font-semibold text-muted">{t`Members`}</h2>
        {members.isPending ? (
          <Loading>
            <Skeleton className="h-40 rounded-xl" />
          </Loading>
        ) : (
          <Card className="divide-y divide-line">
            <ul className="divide-y divide-line" aria-label={t`Members`}>
              {members.data.items.map((member) => (
                <li key={member.user_id} className="flex items-center gap-3.5 p-4">
                  <Avatar name={member.name || member.email} seed={member.user_id} />
                  <div className="min-w-0 flex-1">
                    <p className="text-sm font-semibold wrap-anywhere">
                      {member.name}
                      {member.user_id === me.id ? (
                        <span className="font-normal text-muted"> · {t`you`}</span>
                      ) : null}
                    </p>
                    <p className="text-sm wrap-anywhere text-muted">{member.email}</p>
                  </div>
                  <Badge tone={member.role === 'user' ? 'neutral' : 'accent'}>{roleName(member.role)}</Badge>
                </li>
              ))}
            </ul>
          </Card>
        )}
      </section>
    </div>
  );
}

function PendingInvites({ orgId }: { orgId: string }) {
  const { data } = useOrgInvites(orgId);
  const revoke = useRevokeInvite(orgId);
  const pending = (data?.items ?? []).filter((invite) => invite.status === 'pending');
  if (pending.length === 0) return null;
  return (
    <section className="mt-8">
      <h2 className="mb-3 text-sm font-semibold text-muted">{t`Invited`}</h2>
      <Card>
        <ul className="divide-y divide-line" aria-label={t`Pending invitations`}>
          {pending.map((invite) => {
            const expires = until(invite.expires_at);
            return (
              <li key={invite.id} className="flex flex-wrap items-center gap-3.5 p-4">
                <div className="min-w-0 flex-1">
                  <p className="text-sm font-semibold wrap-anywhere">{invite.email}</p>
                  <p className="text-sm text-muted">{t`${roleName(invite.role)} · expires ${expires}`}</p>
                </div>
                <Button
                  size="sm"
                  look="ghost"
                  aria-label={t`Withdraw the invitation of ${invite.email}`}
                  icon={<UserX aria-hidden="true" className="size-4" />}
                  disabled={revoke.isPending}
                  onClick={() =>
                    revoke.mutate(invite.id, {
                      onSuccess: () => toast('good', t`Invitation withdrawn`),
                      onError: (error) => toast('bad', t`Not withdrawn`, explain(error)),
                    })
                  }
                >
                  {t`Withdraw`}
                </Button>
              </li>
            );
          })}
        </ul>
      </Card>
    </section>
  );
}
