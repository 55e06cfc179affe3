import { t } from '@lingui/core/macro';
import type { ReactNode } from 'react';
import type { FieldErrors, UseFormRegister } from 'react-hook-form';
import { CATEGORIES, categoryName } from '@/features/discover/categories';
import { viewerZone } from '@/lib/format';
import { zones } from '@/lib/zoned';
import { Card } from '@/ui/Card';
import { Field, Input, Select, Textarea } from '@/ui/Field';
import type { EventForm } from './eventForm';

interface Props {
  register: UseFormRegister<EventForm>;
  errors: FieldErrors<EventForm>;
  /** The event has started: its start and zone are fixed. */
  started: boolean;
  /** The organizer has laid the seats out, which says how many there are. */
  laidOut?: boolean;
  /** A category that isn't among those offered, to be kept. */
  category: string;
  /** A zone that the browser may not list, to be kept. */
  zone: string;
}

/** The fields of an event, for creating and changing. */
export function EventFormFields({ register, errors, started, laidOut = false, category, zone }: Props) {
  const offered = CATEGORIES.map((c) => c.key);
  const categories = offered.includes(category) ? offered : [...offered, category];
  const known = zones(viewerZone());
  const allZones = known.includes(zone) ? known : [zone, ...known];
  return (
    <div className="space-y-6">
      <Group title={t`What`}>
        <Field label={t`Name`} error={errors.name?.message}>
          {(control) => <Input {...control} {...register('name')} autoComplete="off" />}
        </Field>
        <Field label={t`Category`} error={errors.category?.message}>
          {(control) => (
            <Select {...control} {...register('category')}>
              {categories.map((key) => (
                <option key={key} value={key}>
                  {categoryName(key)}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field
          label={t`Description`}
          optional={t`optional`}
          hint={t`Markdown works: **bold**, lists, links. HTML is shown as text.`}
          error={errors.description?.message}
        >
          {(control) => <Textarea {...control} {...register('description')} rows={7} />}
        </Field>
      </Group>

      <Group title={t`When and where`}>
        <div className="grid gap-5 sm:grid-cols-2">
          <Field
            label={t`Starts`}
            error={errors.starts?.message}
            hint={started ? t`It has started.` : undefined}
          >
            {(control) => (
              <Input {...control} {...register('starts')} type="datetime-local" readOnly={started} />
            )}
          </Field>
          <Field label={t`Ends`} error={errors.ends?.message}>
            {(control) => <Input {...control} {...register('ends')} type="datetime-local" />}
          </Field>
        </div>
        <Field
          label={t`Time zone`}
          hint={t`The times above are the clock on the wall there.`}
          error={errors.timeZone?.message}
        >
          {(control) => (
            <Select {...control} {...register('timeZone')}>
              {allZones.map((name) => (
                <option key={name} value={name}>
                  {name.replaceAll('_', ' ')}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Field label={t`Venue`} optional={t`optional`} error={errors.venue?.message}>
          {(control) => <Input {...control} {...register('venue')} autoComplete="off" />}
        </Field>
      </Group>

      <Group title={t`Seats and rules`}>
        <div className="grid gap-5 sm:grid-cols-2">
          <Field
            label={t`Seats`}
            hint={
              laidOut
                ? t`The layout says how many. It is changed under “Seats” of the event.`
                : t`Rows of 20, numbered through. Under “Seats” of the event you can lay them out otherwise.`
            }
            error={errors.totalSlots?.message}
          >
            {(control) => (
              <Input {...control} {...register('totalSlots')} inputMode="numeric" readOnly={laidOut} />
            )}
          </Field>
          <Field
            label={t`Most seats per person`}
            hint={t`Empty: no limit.`}
            error={errors.maxSeatsPerUser?.message}
          >
            {(control) => <Input {...control} {...register('maxSeatsPerUser')} inputMode="numeric" />}
          </Field>
        </div>
        <Choice legend={t`Who can see and book it`}>
          <Option
            {...register('visibility')}
            value="public"
            title={t`Everybody`}
            text={t`It is listed publicly; anyone signed in can book.`}
          />
          <Option
            {...register('visibility')}
            value="members"
            title={t`Members only`}
            text={t`For others it doesn't exist.`}
          />
        </Choice>
        <Choice legend={t`When it is sold out`}>
          <Option
            {...register('waitlistPolicy')}
            value="strict"
            title={t`Strict order`}
            text={t`Nobody is overtaken, even if a big party has to wait for enough seats.`}
          />
          <Option
            {...register('waitlistPolicy')}
            value="fit"
            title={t`First that fits`}
            text={t`Free seats go to the first party in line that is small enough.`}
          />
        </Choice>
        <Field
          label={t`Longest waitlist`}
          className="sm:w-1/2 sm:pr-2.5"
          hint={t`How many parties may wait at a time. 0: no waitlist. Empty: no limit.`}
          error={errors.waitlistLimit?.message}
        >
          {(control) => <Input {...control} {...register('waitlistLimit')} inputMode="numeric" />}
        </Field>
      </Group>
    </div>
  );
}

function Group({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Card className="p-6">
      <h2 className="mb-5 text-lg font-semibold">{title}</h2>
      <div className="space-y-5">{children}</div>
    </Card>
  );
}

function Choice({ legend, children }: { legend: string; children: ReactNode }) {
  return (
    <fieldset>
      <legend className="mb-1.5 text-sm font-semibold">{legend}</legend>
      <div className="grid gap-2.5 sm:grid-cols-2">{children}</div>
    </fieldset>
  );
}

function Option({ title, text, ...input }: { title: string; text: string } & React.ComponentProps<'input'>) {
  return (
    <label className="flex cursor-pointer gap-3 rounded-lg border border-line p-4 transition-colors hover:border-line-strong has-checked:border-accent has-checked:bg-accent-soft has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent-ink">
      <input {...input} type="radio" className="mt-1 size-4 shrink-0 focus-visible:outline-none" />
      <span>
        <span className="block text-sm font-semibold">{title}</span>
        <span className="mt-0.5 block text-sm text-muted">{text}</span>
      </span>
    </label>
  );
}
