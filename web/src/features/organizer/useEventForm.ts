import { zodResolver } from '@hookform/resolvers/zod';
import { t } from '@lingui/core/macro';
import { useMemo } from 'react';
import { type UseFormReturn, useForm } from 'react-hook-form';
import { ApiError } from '@/api/problem';
import { explain } from '@/app/explain';
import { type EventForm, eventFormSchema, formField } from './eventForm';

export function useEventForm(defaultValues: EventForm): UseFormReturn<EventForm> {
  const resolver = useMemo(() => zodResolver(eventFormSchema()), []);
  return useForm<EventForm>({ resolver, defaultValues });
}

/** Shows the server's complaints at their fields and answers what the screen says besides. */
export function problemOf(form: UseFormReturn<EventForm>, error: unknown): string {
  if (!(error instanceof ApiError)) return explain(error);
  if (error.code === 'capacity_below_sold') {
    form.setError('totalSlots', { type: 'server', message: explain(error) }, { shouldFocus: true });
  }
  if (error.errors.length === 0) return explain(error);
  const homeless: string[] = [];
  let first = true;
  for (const { field, message } of error.errors) {
    const name = formField(field);
    if (!name) {
      homeless.push(message);
      continue;
    }
    form.setError(name, { type: 'server', message }, { shouldFocus: first });
    first = false;
  }
  return [t`Please check the marked fields.`, ...homeless].join(' ');
}
