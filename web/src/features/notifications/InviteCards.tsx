import { t } from '@lingui/core/macro';
import { useAnswerInvite } from '@/api/organizations';
import type { Invite, Role } from '@/api/types';
import { explain } from '@/app/explain';
import { relative } from '@/lib/format';
import { Avatar } from '@/ui/Avatar';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { toast } from '@/ui/toast';

export function roleName(role: Role): string {
  if (role === 'orgAdmin') return t`Administrator`;
  return role === 'organizer' ? t`Organizer` : t`Member`;
}

/** Invitations that await an answer. */
export function InviteCards({ invites }: { invites: readonly Invite[] }) {
  return (
    <ul className="space-y-3" aria-label={t`Invitations`}>
      {invites.map((invite) => (
        <InviteCard key={invite.id} invite={invite} />
      ))}
    </ul>
  );
}

function InviteCard({ invite }: { invite: Invite }) {
  const answer = useAnswerInvite();
  const respond = (accept: boolean) =>
    answer.mutate(
      { id: invite.id, accept },
      {
        onSuccess: () => toast('good', accept ? t`Welcome to ${invite.org_name}` : t`Invitation declined`),
        onError: (error) => toast('bad', t`That didn't work`, explain(error)),
      },
    );
  const role = roleName(invite.role);
  const expires = relative(invite.expires_at);
  return (
    <li>
      <Card className="flex flex-wrap items-center gap-4 p-4">
        <Avatar name={invite.org_name} seed={invite.org_id} className="size-11" />
        <div className="min-w-48 flex-1">
          <p className="font-semibold">{invite.org_name}</p>
          <p className="text-sm text-muted">{t`Invites you as ${role} · expires ${expires}`}</p>
        </div>
        <div className="flex gap-2">
          <Button look="secondary" size="sm" disabled={answer.isPending} onClick={() => respond(false)}>
            {t`Decline`}
          </Button>
          <Button size="sm" busy={answer.isPending} onClick={() => respond(true)}>
            {t`Accept`}
          </Button>
        </div>
      </Card>
    </li>
  );
}
