import { t } from '@lingui/core/macro';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useChangeEvent, useEvent } from '@/api/events';
import { ApiError } from '@/api/problem';
import type { Event, Me } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { explain } from '@/app/explain';
import { PendingScreen } from '@/app/PendingScreen';
import { useTitle } from '@/app/title';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { NotYourEvent } from '@/features/organization/InOrganization';
import { Button, ButtonLink } from '@/ui/Button';
import { Notice } from '@/ui/Notice';
import { BackLink, PageHeader } from '@/ui/PageHeader';
import { toast } from '@/ui/toast';
import { EventFormFields } from './EventFormFields';
import { changeOf, formOf } from './eventForm';
import { showProblem, useEventForm } from './useEventForm';

const route = getRouteApi('/manage/events/$eventId/edit');

export function EditEventPage() {
  const { eventId } = route.useParams();
  return <RequireSignIn>{(me) => <Load me={me} id={eventId} />}</RequireSignIn>;
}

function Load({ me, id }: { me: Me; id: string }) {
  const { data: event, error, isPending, refetch } = useEvent(id);
  // What is edited stays what it was when editing began, also when the event
  // is fetched again in the background: only then can a conflict be noticed.
  const [base, setBase] = useState<Event | null>(null);
  if (isPending) return <PendingScreen />;
  if (!event) return <Failure page error={error} onRetry={() => void refetch()} />;
  if (!event.can_manage) return <NotYourEvent me={me} event={event} />;
  const shown = base ?? event;
  if (!base) setBase(event);
  const reload = () => void refetch().then(({ data }) => data && setBase(data));
  return <Edit key={shown.revision} event={shown} onReload={reload} />;
}

function Edit({ event, onReload }: { event: Event; onReload: () => void }) {
  useTitle(t`Edit ${event.name}`);
  const before = formOf(event);
  const form = useEventForm(before);
  const save = useChangeEvent(event.id);
  const navigate = useNavigate();
  const [problem, setProblem] = useState<string | null>(null);
  const [stale, setStale] = useState(false);
  const leave = () => navigate({ to: '/manage/events/$eventId', params: { eventId: event.id } });
  const submit = form.handleSubmit((values) => {
    setProblem(null);
    const change = changeOf(values, before);
    if (Object.keys(change).length === 0) {
      void leave();
      return;
    }
    save.mutate(
      { change, revision: event.revision },
      {
        onSuccess: () => {
          toast('good', t`Saved`, t`Who has booked is told where it matters to them.`);
          void leave();
        },
        onError: (error) => {
          if (error instanceof ApiError && error.status === 412) {
            setStale(true);
            return;
          }
          const homeless = showProblem(form, error);
          const told = error instanceof ApiError && error.errors.length > 0;
          setProblem(told ? [t`Please check the marked fields.`, ...homeless].join(' ') : explain(error));
        },
      },
    );
  });
  const started = event.status === 'ongoing' || event.status === 'completed';
  return (
    <div className="page max-w-3xl!">
      <PageHeader
        back={
          <BackLink to="/manage/events/$eventId" params={{ eventId: event.id }}>
            {event.name}
          </BackLink>
        }
        title={t`Edit event`}
      />
      <form onSubmit={(e) => void submit(e)} noValidate className="space-y-6">
        <EventFormFields
          register={form.register}
          errors={form.formState.errors}
          started={started}
          category={event.category}
          zone={event.time_zone}
        />
        {stale ? (
          <Notice
            tone="warn"
            live
            title={t`Somebody else changed this event meanwhile`}
            action={
              <Button size="sm" look="secondary" onClick={onReload}>
                {t`Load the newest and start over`}
              </Button>
            }
          >
            {t`Nothing of yours was saved, so that nothing of theirs is lost.`}
          </Notice>
        ) : null}
        {problem ? (
          <Notice tone="bad" live>
            {problem}
          </Notice>
        ) : null}
        <div className="flex justify-end gap-2">
          <ButtonLink to="/manage/events/$eventId" params={{ eventId: event.id }} look="secondary">
            {t`Discard`}
          </ButtonLink>
          <Button type="submit" busy={save.isPending}>
            {t`Save changes`}
          </Button>
        </div>
      </form>
    </div>
  );
}
