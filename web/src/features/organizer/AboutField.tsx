import { t } from '@lingui/core/macro';
import { lazy, Suspense, useState } from 'react';
import type { UseFormReturn } from 'react-hook-form';
import { Field, Textarea } from '@/ui/Field';
import { Segmented } from '@/ui/Segmented';
import { Skeleton } from '@/ui/Skeleton';
import { MAX_ABOUT, type SettingsForm } from './settingsForm';

const Description = lazy(() =>
  import('@/features/event/Description').then((m) => ({ default: m.Description })),
);

/** The text about an organization, as it is written and as it will look. */
export function AboutField({ form }: { form: UseFormReturn<SettingsForm> }) {
  const [mode, setMode] = useState<'write' | 'preview'>('write');
  const text = form.watch('about');
  const left = MAX_ABOUT - [...text].length;
  return (
    <div>
      <div className="mb-2 flex flex-wrap items-end justify-between gap-2">
        <span className="text-sm font-semibold">{t`About`}</span>
        <Segmented
          label={t`Text about the organization`}
          value={mode}
          onChange={setMode}
          options={[
            { value: 'write', label: t`Write` },
            { value: 'preview', label: t`Preview` },
          ]}
        />
      </div>
      {mode === 'write' ? (
        <Field
          label={t`Text about the organization`}
          hideLabel
          hint={
            left < MAX_ABOUT / 10
              ? t`${left} characters left.`
              : t`Markdown works: **bold**, lists, links. HTML is shown as text.`
          }
          error={form.formState.errors.about?.message}
        >
          {(control) => <Textarea {...control} {...form.register('about')} rows={8} />}
        </Field>
      ) : (
        <div className="min-h-52 rounded-md border border-dashed border-line p-4">
          {text.trim() === '' ? (
            <p className="text-sm text-muted">{t`Nothing is written yet.`}</p>
          ) : (
            <Suspense fallback={<Skeleton className="h-24" />}>
              <Description text={text} />
            </Suspense>
          )}
        </div>
      )}
    </div>
  );
}
