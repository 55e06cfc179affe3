import { t } from '@lingui/core/macro';
import { BellRing, Check } from 'lucide-react';
import { type Preference, useChangePreferences, usePreferences } from '@/api/preferences';
import type { Me } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { explain } from '@/app/explain';
import { Panel } from '@/ui/Panel';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { Switch } from '@/ui/Switch';
import { toast } from '@/ui/toast';
import { type Group, grouped, mailIsFixed } from './wording';

/** What one is told by mail; the bell tells everything. */
export function NotificationsSection({ me }: { me: Me }) {
  const { data, error, isPending, refetch } = usePreferences();
  const change = useChangePreferences();
  const set = (types: Preference[]) =>
    change.mutate(types, { onError: (failure) => toast('bad', t`Not changed`, explain(failure)) });
  if (isPending) {
    return (
      <Loading className="space-y-5">
        <Skeleton className="h-32 rounded-xl" />
        <Skeleton className="h-80 rounded-xl" />
      </Loading>
    );
  }
  if (!data) return <Failure error={error} onRetry={() => void refetch()} />;
  const free = data.types.filter(({ type }) => !mailIsFixed(type));
  const on = free.some(({ email }) => email);
  return (
    <>
      <Panel title={t`What you are told`}>
        <p className="flex items-start gap-3 text-sm text-muted">
          <BellRing aria-hidden="true" className="mt-0.5 size-4.5 shrink-0" />
          {t`Everything shows up under the bell, so that nothing about your bookings gets lost. Choose what also comes to your mailbox.`}
        </p>
        <div className="flex items-center justify-between gap-4 rounded-lg bg-sunken px-4 py-3">
          <p className="min-w-0 text-sm">
            <span className="block font-semibold">{t`Send me mails`}</span>
            <span className="block wrap-anywhere text-muted">{me.email}</span>
          </p>
          <Switch
            aria-label={t`Send me mails`}
            checked={on}
            onChange={(e) => set(free.map((one) => ({ ...one, email: e.target.checked })))}
          />
        </div>
      </Panel>
      {grouped(data.types).map((group) => (
        <GroupPanel key={group.key} group={group} onChange={(one) => set([one])} />
      ))}
      <p className="px-1 text-sm text-muted">
        {t`Mails that you need to sign in, such as those that confirm an address or set a new password, always come.`}
      </p>
    </>
  );
}

// A switch that can't be moved would be one more thing to try.
function AlwaysOn({ label }: { label: string }) {
  return (
    <span title={label} className="text-good">
      <Check aria-hidden="true" className="size-5" />
      <span className="sr-only">{label}</span>
    </span>
  );
}

function GroupPanel({
  group,
  onChange,
}: {
  group: Group<Preference>;
  onChange: (preference: Preference) => void;
}) {
  return (
    <Panel
      title={
        <>
          <span className="flex-1">{group.title}</span>
          <span
            aria-hidden="true"
            className="w-12 text-center text-xs font-medium text-muted"
          >{t`Bell`}</span>
          <span
            aria-hidden="true"
            className="w-12 text-center text-xs font-medium text-muted"
          >{t`Mail`}</span>
        </>
      }
    >
      <ul className="-mt-2 -mb-3 divide-y divide-line">
        {group.items.map(({ wording, ...one }) => {
          const fixed = mailIsFixed(one.type);
          const name = wording.name;
          return (
            <li key={one.type} className="flex items-center gap-x-3 py-3">
              <div className="min-w-0 flex-1">
                <p className="text-sm font-semibold">{name}</p>
                <p className="text-sm text-muted">
                  {wording.when}
                  {fixed ? ` ${t`Its mail always comes.`}` : null}
                </p>
              </div>
              <span className="flex w-12 justify-center">
                <AlwaysOn label={t`Bell: always`} />
              </span>
              <span className="flex w-12 justify-center">
                {fixed ? (
                  <AlwaysOn label={t`Mail: always`} />
                ) : (
                  <Switch
                    aria-label={t`${name}: mail`}
                    checked={one.email}
                    onChange={(e) => onChange({ ...one, email: e.target.checked })}
                  />
                )}
              </span>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}
