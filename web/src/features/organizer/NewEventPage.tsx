import { t } from '@lingui/core/macro';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { ShieldX } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useCreateEvent } from '@/api/events';
import { runs } from '@/api/me';
import { useOrganization } from '@/api/organizations';
import type { Me } from '@/api/types';
import { PendingScreen } from '@/app/PendingScreen';
import { useTitle } from '@/app/title';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { useCurrentOrg } from '@/features/organization/current';
import { Gate } from '@/features/organization/InOrganization';
import { viewerZone } from '@/lib/format';
import { Button, ButtonLink } from '@/ui/Button';
import { EmptyState } from '@/ui/EmptyState';
import { Field, Select } from '@/ui/Field';
import { LeaveGuard } from '@/ui/LeaveGuard';
import { Notice } from '@/ui/Notice';
import { BackLink, PageHeader } from '@/ui/PageHeader';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';
import { EventFormFields } from './EventFormFields';
import { emptyForm, inputOf, usualWaiting } from './eventForm';
import { problemOf, useEventForm } from './useEventForm';

const route = getRouteApi('/manage/new');

export function NewEventPage() {
  return <RequireSignIn>{(me) => <NewEvent me={me} />}</RequireSignIn>;
}

function NewEvent({ me }: { me: Me }) {
  useTitle(t`New event`);
  const wanted = route.useSearch().org;
  const remembered = useCurrentOrg(me);
  const orgs = runs(me);
  const orgId = wanted ?? orgs.find((org) => org.id === remembered?.id)?.id ?? orgs[0]?.id;
  if (orgId === undefined) {
    return (
      <EmptyState
        page
        icon={ShieldX}
        title={t`You don't organize yet`}
        action={<ButtonLink to="/manage">{t`Organize`}</ButtonLink>}
      >
        {t`Create an organization, or ask one to make you an organizer.`}
      </EmptyState>
    );
  }
  return (
    <Gate me={me} orgId={orgId} section="events">
      {() => <WithZone orgs={orgs} first={orgId} />}
    </Gate>
  );
}

// The form begins with the zone of its organization; without an answer about
// that, with the viewer's own.
function WithZone({ orgs, first }: { orgs: ReturnType<typeof runs>; first: string }) {
  const { data, isPending } = useOrganization(first);
  if (isPending) return <PendingScreen />;
  return <EventFormPage orgs={orgs} first={first} zone={data?.time_zone ?? viewerZone()} />;
}

function EventFormPage({
  orgs,
  first,
  zone,
}: {
  orgs: ReturnType<typeof runs>;
  first: string;
  zone: string;
}) {
  const [orgId, setOrgId] = useState(first);
  const form = useEventForm(emptyForm(zone, new Date()));
  const create = useCreateEvent();
  const navigate = useNavigate();
  const [problem, setProblem] = useState<string | null>(null);
  const chosen = useOrganization(orgId).data;
  const closed = chosen?.suspended ?? false;
  const touched = form.formState.dirtyFields.timeZone;
  // Another organization brings its zone along, unless one was chosen by hand.
  useEffect(() => {
    if (chosen && !touched) form.resetField('timeZone', { defaultValue: chosen.time_zone ?? viewerZone() });
  }, [chosen, touched, form]);
  // As many more may wait as there are more seats, until one says how many.
  const totalSlots = form.watch('totalSlots');
  const limited = form.formState.dirtyFields.waitlistLimit;
  useEffect(() => {
    if (!limited) form.resetField('waitlistLimit', { defaultValue: usualWaiting(totalSlots) });
  }, [totalSlots, limited, form]);
  const once = useOnce();
  const submit = form.handleSubmit(async (values) => {
    setProblem(null);
    try {
      const event = await create.mutateAsync(inputOf(values, orgId));
      toast('good', t`Your event is published`);
      void navigate({
        to: '/manage/events/$eventId',
        params: { eventId: event.id },
        // What was typed is saved by now.
        ignoreBlocker: true,
      });
    } catch (error) {
      setProblem(problemOf(form, error));
    }
  });
  return (
    <div className="page max-w-3xl!">
      <PageHeader
        back={
          <BackLink to="/manage" search={{ org: orgId }}>
            {orgs.find((org) => org.id === orgId)?.name ?? t`Organize`}
          </BackLink>
        }
        title={t`New event`}
      />
      <form
        onSubmit={(e) => {
          e.preventDefault();
          once(() => submit(e));
        }}
        noValidate
        className="space-y-6"
      >
        {orgs.length > 1 ? (
          <Field label={t`Organization`}>
            {(control) => (
              <Select {...control} value={orgId} onChange={(e) => setOrgId(e.target.value)}>
                {orgs.map((org) => (
                  <option key={org.id} value={org.id}>
                    {org.name}
                  </option>
                ))}
              </Select>
            )}
          </Field>
        ) : null}
        {closed ? (
          <Notice tone="warn" title={t`This organization is suspended`}>
            {t`No events can be created in it until the operator opens it again.`}
          </Notice>
        ) : (
          <EventFormFields
            register={form.register}
            errors={form.formState.errors}
            started={false}
            category={form.getValues('category')}
            zone={chosen?.time_zone ?? zone}
          />
        )}
        {problem && !closed ? (
          <Notice tone="bad" live>
            {problem}
          </Notice>
        ) : null}
        <div className="flex justify-end gap-2">
          <ButtonLink to="/manage" search={{ org: orgId }} ignoreBlocker look="secondary">
            {closed ? t`Back` : t`Discard`}
          </ButtonLink>
          {closed ? null : (
            <Button type="submit" busy={create.isPending}>
              {t`Publish event`}
            </Button>
          )}
        </div>
        <LeaveGuard dirty={form.formState.isDirty} />
      </form>
    </div>
  );
}
