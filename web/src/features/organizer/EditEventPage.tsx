import { t } from '@lingui/core/macro';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useChangeEvent, useEvent } from '@/api/events';
import { ApiError } from '@/api/problem';
import type { Event } from '@/api/types';
import { explain } from '@/app/explain';
import { useTitle } from '@/app/title';
import { InEvent } from '@/features/organization/InEvent';
import { Button, ButtonLink } from '@/ui/Button';
import { LeaveGuard } from '@/ui/LeaveGuard';
import { Notice } from '@/ui/Notice';
import { BackLink, PageHeader } from '@/ui/PageHeader';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';
import { EventFormFields } from './EventFormFields';
import { changeOf, type EventForm, formOf, rebase } from './eventForm';
import { eventFieldName, eventFieldText } from './eventWords';
import { fill, put, type Theirs } from './rebase';
import { TheirChanges } from './TheirChanges';
import { problemOf, useEventForm } from './useEventForm';

const route = getRouteApi('/manage/events/$eventId/edit');

/** Changes an event; whoever saves meanwhile loses nothing by it, and neither does one. */
export function EditEventPage() {
  const { eventId } = route.useParams();
  return <InEvent id={eventId}>{(event) => <Edit key={event.id} event={event} />}</InEvent>;
}

function Edit({ event }: { event: Event }) {
  useTitle(t`Edit ${event.name}`);
  // What is edited stays what it was when editing began, also when the event
  // is fetched again in the background: only then can a conflict be noticed.
  const [base, setBase] = useState(event);
  const before = formOf(base);
  const form = useEventForm(before);
  const save = useChangeEvent(event.id);
  const { refetch } = useEvent(event.id);
  const navigate = useNavigate();
  const once = useOnce();
  const [problem, setProblem] = useState<string | null>(null);
  const [theirs, setTheirs] = useState<readonly Theirs<EventForm>[] | null>(null);
  // What was typed is saved by now.
  const leave = () =>
    void navigate({ to: '/manage/events/$eventId', params: { eventId: event.id }, ignoreBlocker: true });
  const merge = async () => {
    const { data: newest } = await refetch({ throwOnError: true });
    if (!newest) throw new Error('an event is never answered by nothing');
    const merged = rebase(form.getValues(), before, formOf(newest));
    setBase(newest);
    fill(form, formOf(newest), merged.form);
    setTheirs(merged.theirs);
  };
  const submit = form.handleSubmit(async (values) => {
    setProblem(null);
    const change = changeOf(values, before);
    if (Object.keys(change).length === 0) {
      leave();
      return;
    }
    try {
      await save.mutateAsync({ change, revision: base.revision });
      toast('good', t`Saved`, t`Who has booked is told where it matters to them.`);
      leave();
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) {
        await merge().catch((failure) => setProblem(explain(failure)));
        return;
      }
      setProblem(problemOf(form, error));
    }
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
      <form
        onSubmit={(e) => {
          e.preventDefault();
          once(() => submit(e));
        }}
        noValidate
        className="space-y-6"
      >
        <EventFormFields
          register={form.register}
          errors={form.formState.errors}
          started={started}
          laidOut={base.layout_revision > 0}
          category={base.category}
          zone={base.time_zone}
        />
        {theirs ? (
          <TheirChanges
            title={t`Somebody else changed this event meanwhile`}
            theirs={theirs}
            nameOf={eventFieldName}
            told={eventFieldText}
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
        <div className="flex justify-end gap-2">
          <ButtonLink
            to="/manage/events/$eventId"
            params={{ eventId: event.id }}
            ignoreBlocker
            look="secondary"
          >
            {t`Discard`}
          </ButtonLink>
          <Button type="submit" busy={save.isPending}>
            {t`Save changes`}
          </Button>
        </div>
        <LeaveGuard dirty={form.formState.isDirty} />
      </form>
    </div>
  );
}
