import { zodResolver } from '@hookform/resolvers/zod';
import { t } from '@lingui/core/macro';
import { getRouteApi } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { type UseFormReturn, useForm } from 'react-hook-form';
import { useChangeOrganization, useOrganization } from '@/api/organizations';
import { ApiError } from '@/api/problem';
import type { Me, Organization } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { explain } from '@/app/explain';
import { useTitle } from '@/app/title';
import type { Membership } from '@/features/organization/current';
import { InOrganization } from '@/features/organization/InOrganization';
import { viewerZone } from '@/lib/format';
import { zones } from '@/lib/zoned';
import { Button } from '@/ui/Button';
import { Field, Input, Select } from '@/ui/Field';
import { LeaveGuard } from '@/ui/LeaveGuard';
import { Notice } from '@/ui/Notice';
import { Panel } from '@/ui/Panel';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';
import { AboutField } from './AboutField';
import { ColourField } from './ColourField';
import { DangerZone } from './DangerZone';
import { LogoEditor } from './LogoEditor';
import { OrgFrame } from './OrgFrame';
import { fill, put, type Theirs } from './rebase';
import { changeOf, formOf, rebase, type SettingsForm, settingsField, settingsSchema } from './settingsForm';
import { TheirChanges } from './TheirChanges';

const route = getRouteApi('/manage/$orgId/settings');

/** What an organization says of itself, and ending it. */
export function SettingsPage() {
  const { orgId } = route.useParams();
  return (
    <InOrganization orgId={orgId} section="settings">
      {(me, org) => <Settings key={orgId} me={me} org={org} />}
    </InOrganization>
  );
}

function Settings({ me, org }: { me: Me; org: Membership }) {
  useTitle(t`Settings of ${org.name}`);
  const { data, error, isPending, refetch } = useOrganization(org.id);
  // What is edited stays what it was when editing began, also when it is
  // fetched again in the background: only then can a conflict be noticed.
  const [base, setBase] = useState<Organization | null>(null);
  const [edition, setEdition] = useState(0);
  if (data && !base) setBase(data);
  const shown = base ?? data;
  const begin = (next: Organization) => {
    setBase(next);
    setEdition((n) => n + 1);
  };
  const renew = async () => {
    const { data: newest } = await refetch({ throwOnError: true });
    if (!newest) throw new Error('an organization is never answered by nothing');
    setBase(newest);
    return newest;
  };
  // A logo moves the revision, too. What is being typed stays, and with it the
  // conflict if somebody changed more than that.
  const followLogo = () =>
    void refetch().then(({ data: fresh }) => {
      const same = fresh && base && Object.keys(changeOf(formOf(fresh), formOf(base))).length === 0;
      if (same) setBase(fresh);
    });
  return (
    <OrgFrame org={org} section="settings" narrow>
      {shown ? (
        <div className="space-y-6">
          <LogoEditor org={data ?? shown} onChanged={followLogo} />
          <Edit key={edition} org={shown} onStale={renew} onSaved={begin} />
          <DangerZone me={me} org={org} />
        </div>
      ) : isPending ? (
        <Loading className="space-y-6">
          <Skeleton className="h-36 rounded-xl" />
          <Skeleton className="h-96 rounded-xl" />
        </Loading>
      ) : (
        <Failure error={error} onRetry={() => void refetch()} />
      )}
    </OrgFrame>
  );
}

function Edit({
  org,
  onStale,
  onSaved,
}: {
  org: Organization;
  /** Fetches what others saved; from then on editing is based on that. */
  onStale: () => Promise<Organization>;
  onSaved: (org: Organization) => void;
}) {
  const before = formOf(org);
  const resolver = useMemo(() => zodResolver(settingsSchema()), []);
  const form = useForm<SettingsForm>({ resolver, defaultValues: before });
  const { register, formState, watch, setValue } = form;
  const { errors } = formState;
  const save = useChangeOrganization(org.id);
  const once = useOnce();
  const [problem, setProblem] = useState<string | null>(null);
  const [theirs, setTheirs] = useState<readonly Theirs<SettingsForm>[] | null>(null);
  const merge = async () => {
    const newest = formOf(await onStale());
    const merged = rebase(form.getValues(), before, newest);
    fill(form, newest, merged.form);
    setTheirs(merged.theirs);
  };
  const submit = form.handleSubmit(async (values) => {
    setProblem(null);
    const change = changeOf(values, before);
    if (Object.keys(change).length === 0) {
      toast('info', t`Nothing to save`, t`Everything is as it was.`);
      return;
    }
    try {
      const saved = await save.mutateAsync({ change, revision: org.revision });
      toast('good', t`Saved`);
      onSaved(saved);
    } catch (error) {
      const stale = error instanceof ApiError && error.status === 412;
      if (stale) await merge().catch((failure) => setProblem(explain(failure)));
      else setProblem(showProblem(form, error));
    }
  });
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        once(() => submit(e));
      }}
      noValidate
      className="space-y-6"
    >
      <Panel title={t`What people see`}>
        <Field label={t`Name`} error={errors.name?.message}>
          {(control) => <Input {...control} {...register('name')} autoComplete="organization" />}
        </Field>
        <AboutField form={form} />
        <div className="grid gap-5 sm:grid-cols-2">
          <Field
            label={t`Contact address`}
            optional={t`optional`}
            hint={t`Shown to everybody.`}
            error={errors.contactEmail?.message}
          >
            {(control) => (
              <Input
                {...control}
                {...register('contactEmail')}
                type="email"
                autoComplete="off"
                placeholder="hello@example.org"
              />
            )}
          </Field>
          <Field label={t`Website`} optional={t`optional`} error={errors.website?.message}>
            {(control) => (
              <Input
                {...control}
                {...register('website')}
                inputMode="url"
                autoComplete="off"
                placeholder="https://example.org"
              />
            )}
          </Field>
        </div>
        <ColourField
          value={watch('color')}
          error={errors.color?.message}
          onChange={(color) =>
            setValue('color', color, { shouldDirty: true, shouldValidate: formState.isSubmitted })
          }
        />
      </Panel>
      <Panel title={t`For new events`}>
        <Field
          label={t`Time zone`}
          hint={t`New events begin with it; each can have another one.`}
          error={errors.timeZone?.message}
        >
          {(control) => (
            <Select {...control} {...register('timeZone')}>
              <option value="">{t`That of whoever creates the event`}</option>
              {zonesWith(before.timeZone).map((zone) => (
                <option key={zone} value={zone}>
                  {zone.replaceAll('_', ' ')}
                </option>
              ))}
            </Select>
          )}
        </Field>
      </Panel>
      {theirs ? (
        <TheirChanges
          title={t`Somebody else changed these settings meanwhile`}
          theirs={theirs}
          nameOf={fieldName}
          onMine={(field, value) => {
            put(form, field, value);
            setTheirs(theirs.map((one) => (one.field === field ? { ...one, mine: null } : one)));
          }}
        />
      ) : null}
      {problem ? (
        <Notice tone="bad" live>
          {problem}
        </Notice>
      ) : null}
      <div className="flex flex-wrap items-center justify-end gap-2">
        {formState.isDirty ? (
          <Button look="secondary" onClick={() => form.reset()}>
            {t`Discard changes`}
          </Button>
        ) : null}
        <Button type="submit" busy={save.isPending}>
          {t`Save settings`}
        </Button>
      </div>
      <LeaveGuard dirty={formState.isDirty} />
    </form>
  );
}

function fieldName(field: keyof SettingsForm): string {
  switch (field) {
    case 'name':
      return t`Name`;
    case 'about':
      return t`About`;
    case 'contactEmail':
      return t`Contact address`;
    case 'website':
      return t`Website`;
    case 'color':
      return t`Colour`;
    case 'timeZone':
      return t`Time zone`;
  }
}

function zonesWith(current: string): string[] {
  const known = zones(viewerZone());
  return current === '' || known.includes(current) ? known : [current, ...known];
}

// Shows the server's complaints at their fields and answers what the screen
// says besides.
function showProblem(form: UseFormReturn<SettingsForm>, error: unknown): string {
  if (!(error instanceof ApiError) || error.errors.length === 0) return explain(error);
  const homeless: string[] = [];
  let first = true;
  for (const { field, message } of error.errors) {
    const at = settingsField(field);
    if (!at) {
      homeless.push(message);
      continue;
    }
    form.setError(at, { type: 'server', message }, { shouldFocus: first });
    first = false;
  }
  return [t`Please check the marked fields.`, ...homeless].join(' ');
}
