import { t } from '@lingui/core/macro';
import { LogOut, Monitor, Smartphone } from 'lucide-react';
import { useState } from 'react';
import { type Session, useEndSession, useSessions } from '@/api/profile';
import { Failure } from '@/app/ErrorScreen';
import { explain } from '@/app/explain';
import { moment, relative } from '@/lib/format';
import { Badge } from '@/ui/Badge';
import { Button } from '@/ui/Button';
import { Confirm } from '@/ui/Dialog';
import { Panel } from '@/ui/Panel';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { toast } from '@/ui/toast';

/** Where one is signed in, and leaving there. */
export function DevicesSection() {
  const { data, error, isPending, refetch } = useSessions();
  const end = useEndSession();
  const [asking, setAsking] = useState(false);
  if (isPending) {
    return (
      <Loading>
        <Skeleton className="h-52 rounded-xl" />
      </Loading>
    );
  }
  if (!data) return <Failure error={error} onRetry={() => void refetch()} />;
  const ended = end.isPending ? end.variables : null;
  // The one in hand first, then the one last used.
  const sessions = [...data.items].sort(
    (a, b) => Number(b.current) - Number(a.current) || b.last_seen_at.localeCompare(a.last_seen_at),
  );
  const others = sessions.filter(({ current }) => !current).length;
  return (
    <Panel
      title={t`Where you are signed in`}
      lead={t`Something that you don't know? Sign it out and change your password.`}
    >
      <ul className="divide-y divide-line border-y border-line" aria-label={t`Devices`}>
        {sessions.map((session) => (
          <SessionRow
            key={session.id}
            session={session}
            busy={ended === session.id}
            onEnd={() =>
              end.mutate(session.id, {
                onSuccess: () => toast('good', t`${labelOf(session)} is signed out`),
                onError: (failure) => toast('bad', t`Not signed out`, explain(failure)),
              })
            }
          />
        ))}
      </ul>
      {others > 0 ? (
        <Button
          look="secondary"
          className="max-sm:w-full"
          icon={<LogOut aria-hidden="true" className="size-4" />}
          onClick={() => setAsking(true)}
        >
          {t`Sign out everywhere else`}
        </Button>
      ) : (
        <p className="text-sm text-muted">{t`You are signed in nowhere else.`}</p>
      )}
      <Confirm
        open={asking}
        onOpenChange={setAsking}
        title={t`Sign out everywhere else?`}
        action={t`Sign out there`}
        keep={t`Stay signed in`}
        busy={ended === 'others'}
        onConfirm={() =>
          end.mutate('others', {
            onSuccess: () => toast('good', t`You are signed in on this device only`),
            onError: (failure) => toast('bad', t`Not signed out`, explain(failure)),
            onSettled: () => setAsking(false),
          })
        }
      >
        {t`All other browsers and devices have to sign in again. This one stays.`}
      </Confirm>
    </Panel>
  );
}

function labelOf(session: Session): string {
  return session.label || t`A browser`;
}

/** Whether a label names something that is held in the hand. */
function isHandheld(label: string): boolean {
  return /android|iphone|ipad|ios|mobile/i.test(label);
}

function SessionRow({ session, busy, onEnd }: { session: Session; busy: boolean; onEnd: () => void }) {
  const Icon = isHandheld(session.label) ? Smartphone : Monitor;
  const name = labelOf(session);
  const seen = relative(session.last_seen_at);
  const since = moment(session.created_at);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-3 py-4">
      <span className="grid size-10 shrink-0 place-items-center rounded-md bg-sunken text-muted">
        <Icon aria-hidden="true" className="size-5" />
      </span>
      <div className="min-w-0 flex-1 basis-44">
        <p className="flex flex-wrap items-center gap-2 text-sm font-semibold wrap-anywhere">
          {name}
          {session.current ? <Badge tone="good">{t`This device`}</Badge> : null}
        </p>
        <p className="text-sm text-muted">
          {session.current ? t`In use now` : t`Last used ${seen}`}
          <span className="max-sm:block">
            <span className="max-sm:hidden"> · </span>
            {t`signed in ${since}`}
          </span>
        </p>
      </div>
      {session.current ? null : (
        <Button
          size="sm"
          look="secondary"
          className="max-sm:ml-14"
          busy={busy}
          aria-label={t`Sign out ${name}`}
          onClick={onEnd}
        >
          {t`Sign out`}
        </Button>
      )}
    </li>
  );
}
