import { t } from '@lingui/core/macro';
import { useNavigate } from '@tanstack/react-router';
import { useAnswerInvite } from '@/api/organizations';
import type { Invite, Role } from '@/api/types';
import { explain } from '@/app/explain';
import { OrgMark } from '@/features/organization/OrgMark';
import { roleName } from '@/features/organization/roles';
import { until } from '@/lib/format';
import { Button, ButtonLink } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Notice } from '@/ui/Notice';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';

/** What an answer takes; the mailed link's invitation has it as well as a listed one. */
export type Answerable = Pick<Invite, 'id' | 'org_id' | 'org_name' | 'role' | 'expires_at'>;

/** Invitations that await an answer. Accepting one leads into the organization. */
export function InviteCards({ invites }: { invites: readonly Answerable[] }) {
  const answer = useAnswerInvite();
  const navigate = useNavigate();
  const once = useOnce();
  // The card may be gone by the time of the answer, and its callbacks with it.
  const respond = async (invite: Answerable, accept: boolean) => {
    try {
      await answer.mutateAsync({ id: invite.id, accept });
      if (!accept) {
        toast('good', t`Invitation declined`);
        return;
      }
      toast('good', t`Welcome to ${invite.org_name}`, whatOpens(invite.role));
      await navigate(wayInto(invite.org_id, invite.role));
    } catch (error) {
      toast('bad', t`That didn't work`, explain(error));
    }
  };
  const pending = answer.isPending ? answer.variables : null;
  if (invites.length === 0) return null;
  return (
    <ul className="space-y-3" aria-label={t`Invitations`}>
      {invites.map((invite) => (
        <InviteCard
          key={invite.id}
          invite={invite}
          answering={pending?.id === invite.id ? pending.accept : null}
          onAnswer={(accept) => once(() => respond(invite, accept), invite.id)}
        />
      ))}
    </ul>
  );
}

function whatOpens(role: Role): string {
  return role === 'user'
    ? t`You now also see and book the events that are for members only.`
    : t`You can create and run its events now.`;
}

// Who runs events begins where one does; others see whom they have joined.
function wayInto(orgId: string, role: Role) {
  return role === 'user'
    ? ({ to: '/organizations/$orgId', params: { orgId } } as const)
    : ({ to: '/manage', search: { org: orgId } } as const);
}

/** Says that one belongs to an organization, and leads to what one can do there. */
export function Joined({ orgId, orgName, role }: { orgId: string; orgName: string; role: Role }) {
  return (
    <Notice
      tone="good"
      title={t`Welcome to ${orgName}`}
      action={
        <ButtonLink {...wayInto(orgId, role)} size="sm">
          {role === 'user' ? t`See its events` : t`Organize its events`}
        </ButtonLink>
      }
    >
      {whatOpens(role)}
    </Notice>
  );
}

function InviteCard({
  invite,
  answering,
  onAnswer,
}: {
  invite: Answerable;
  /** The answer that is under way. */
  answering: boolean | null;
  onAnswer: (accept: boolean) => void;
}) {
  const role = roleName(invite.role);
  const expires = until(invite.expires_at);
  return (
    <li>
      <Card className="flex flex-wrap items-center gap-4 p-4">
        <OrgMark org={{ id: invite.org_id, name: invite.org_name }} className="size-11" />
        <div className="min-w-48 flex-1">
          <p className="font-semibold wrap-anywhere">{invite.org_name}</p>
          <p className="text-sm text-muted">{t`Invites you as ${role} · expires ${expires}`}</p>
        </div>
        <div className="flex gap-2">
          <Button
            look="secondary"
            size="sm"
            busy={answering === false}
            disabled={answering !== null}
            onClick={() => onAnswer(false)}
          >
            {t`Decline`}
          </Button>
          <Button
            size="sm"
            busy={answering === true}
            disabled={answering !== null}
            onClick={() => onAnswer(true)}
          >
            {t`Accept`}
          </Button>
        </div>
      </Card>
    </li>
  );
}
