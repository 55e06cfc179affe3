import { plural, t } from '@lingui/core/macro';
import { MailPlus, RotateCw, UserX } from 'lucide-react';
import { useState } from 'react';
import { useOrgInvites, useResendInvite, useRevokeInvite } from '@/api/organizations';
import { ApiError } from '@/api/problem';
import type { Invite } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { explain } from '@/app/explain';
import { roleName } from '@/features/organization/roles';
import { relative, until } from '@/lib/format';
import { Badge, type Tone } from '@/ui/Badge';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Confirm } from '@/ui/Dialog';
import { EmptyState } from '@/ui/EmptyState';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';
import { useRowFocus } from '@/ui/useRowFocus';

/** Invitations that wait, and those that were answered or ended. */
export function InviteLists({ orgId }: { orgId: string }) {
  const list = useOrgInvites(orgId);
  const invites = list.data?.pages.flatMap((page) => page.items) ?? [];
  const pending = invites.filter((invite) => invite.status === 'pending');
  const focus = useRowFocus(pending.map(({ id }) => id));
  const past = invites.filter((invite) => invite.status !== 'pending');
  if (list.isPending) {
    return (
      <Loading className="mt-8">
        <Skeleton className="h-40 rounded-xl" />
      </Loading>
    );
  }
  if (list.isError && invites.length === 0)
    return <Failure error={list.error} onRetry={() => void list.refetch()} />;
  if (invites.length === 0) {
    return (
      <EmptyState icon={MailPlus} title={t`Nobody is invited yet`}>
        {t`Whom you invite stands here until there is an answer.`}
      </EmptyState>
    );
  }
  return (
    <section
      ref={focus.place}
      aria-label={t`Invitations so far`}
      tabIndex={-1}
      className="focus:outline-none"
    >
      {pending.length > 0 ? (
        <section className="mt-8" aria-labelledby="pending-invites">
          <h2 id="pending-invites" className="mb-3 text-sm font-semibold text-muted">
            {waiting(pending.length, list.hasNextPage)}
          </h2>
          <Card>
            <ul className="divide-y divide-line" aria-label={t`Pending invitations`}>
              {pending.map((invite) => (
                <Pending
                  key={invite.id}
                  invite={invite}
                  orgId={orgId}
                  onWithdraw={() => focus.leaving(invite.id)}
                />
              ))}
            </ul>
          </Card>
        </section>
      ) : null}
      {past.length > 0 ? <Past invites={past} /> : null}
      {list.hasNextPage ? (
        <div className="mt-5 flex justify-center">
          <Button look="secondary" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
            {t`Show more`}
          </Button>
        </div>
      ) : null}
    </section>
  );
}

// Pages that are not loaded may have more of them.
function waiting(count: number, more: boolean): string {
  return more
    ? t`Waiting for ${count}+ answers`
    : plural(count, { one: 'Waiting for # answer', other: 'Waiting for # answers' });
}

function Pending({
  invite,
  orgId,
  onWithdraw,
}: {
  invite: Invite;
  orgId: string;
  /** Hears of it before the row goes. */
  onWithdraw: () => void;
}) {
  const resend = useResendInvite(orgId);
  const revoke = useRevokeInvite(orgId);
  const [asking, setAsking] = useState(false);
  const expires = until(invite.expires_at);
  const sent = relative(invite.sent_at);
  const role = roleName(invite.role);
  const once = useOnce();
  const sendAgain = () =>
    once(async () => {
      try {
        await resend.mutateAsync(invite.id);
        toast('good', t`Sent again`, t`The link in the new mail is good for 7 days.`);
      } catch (error) {
        toast('bad', t`Not sent again`, whyNotSent(error));
      }
    });
  const withdraw = () =>
    once(async () => {
      onWithdraw();
      try {
        await revoke.mutateAsync(invite.id);
        toast('good', t`Invitation withdrawn`);
      } catch (error) {
        setAsking(false);
        toast('bad', t`Not withdrawn`, explain(error));
      }
    });
  return (
    <li data-row tabIndex={-1} className="flex flex-wrap items-center gap-x-3.5 gap-y-2.5 p-4">
      <div className="min-w-0 flex-1 basis-52">
        <p className="text-sm font-semibold wrap-anywhere">{invite.email}</p>
        <p className="text-sm text-muted">
          {t`${role} · sent ${sent} · expires ${expires}`}
          {invite.sends > 1 ? ` · ${plural(invite.sends, { one: '# mail', other: '# mails' })}` : ''}
        </p>
      </div>
      <div className="flex gap-1">
        <Button
          size="sm"
          look="ghost"
          aria-label={t`Send the invitation of ${invite.email} again`}
          icon={<RotateCw aria-hidden="true" className="size-4" />}
          busy={resend.isPending}
          onClick={sendAgain}
        >
          {t`Send again`}
        </Button>
        <Button
          size="sm"
          look="ghost"
          aria-label={t`Withdraw the invitation of ${invite.email}`}
          icon={<UserX aria-hidden="true" className="size-4" />}
          disabled={revoke.isPending}
          onClick={() => setAsking(true)}
        >
          {t`Withdraw`}
        </Button>
      </div>
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title={t`Withdraw the invitation?`}
        action={t`Withdraw`}
        keep={t`Keep it`}
        busy={revoke.isPending}
        onConfirm={withdraw}
      >
        {t`The link mailed to ${invite.email} stops working. You can invite the address again.`}
      </Confirm>
    </li>
  );
}

function whyNotSent(error: unknown): string {
  if (error instanceof ApiError && error.status === 429 && error.retryAfter !== null) {
    return plural(error.retryAfter, {
      one: 'A mail has just gone out. The next one can go in # second.',
      other: 'A mail has just gone out. The next one can go in # seconds.',
    });
  }
  return explain(error);
}

function Past({ invites }: { invites: readonly Invite[] }) {
  return (
    <section className="mt-8" aria-labelledby="past-invites">
      <h2 id="past-invites" className="mb-3 text-sm font-semibold text-muted">
        {t`Answered and ended`}
      </h2>
      <Card>
        <ul className="divide-y divide-line" aria-label={t`Answered invitations`}>
          {invites.map((invite) => {
            const { tone, word } = statusWord(invite.status);
            const made = relative(invite.created_at);
            return (
              <li key={invite.id} className="flex flex-wrap items-center gap-x-3.5 gap-y-1.5 px-4 py-3">
                <div className="min-w-0 flex-1 basis-52">
                  <p className="text-sm wrap-anywhere">{invite.email}</p>
                  <p className="text-xs text-muted">{t`${roleName(invite.role)} · invited ${made}`}</p>
                </div>
                <Badge tone={tone}>{word}</Badge>
              </li>
            );
          })}
        </ul>
      </Card>
    </section>
  );
}

function statusWord(status: Invite['status']): { tone: Tone; word: string } {
  switch (status) {
    case 'accepted':
      return { tone: 'good', word: t`Accepted` };
    case 'rejected':
      return { tone: 'warn', word: t`Declined` };
    case 'revoked':
      return { tone: 'neutral', word: t`Withdrawn` };
    case 'expired':
      return { tone: 'neutral', word: t`Expired` };
    case 'pending':
      return { tone: 'accent', word: t`Pending` };
  }
}
