import { t } from '@lingui/core/macro';
import { X } from 'lucide-react';
import { Field, Input, Select } from '@/ui/Field';
import { ActorField } from './ActorField';
import type { Actor } from './actors';
import type { AuditSearch } from './auditSearch';
import { actionGroups } from './auditWords';

/** What, who and when. */
export function AuditFilters({
  orgId,
  search,
  about,
  seen,
  onChange,
}: {
  orgId: string;
  search: AuditSearch;
  /** What the search is narrowed to, where that is known. */
  about: string | undefined;
  /** Who did what is shown. */
  seen: readonly Actor[];
  onChange: (change: { [K in keyof AuditSearch]?: string | undefined }) => void;
}) {
  const groups = actionGroups();
  return (
    <search className="block">
      <div className="grid grid-cols-2 gap-x-3 gap-y-4 lg:grid-cols-[1.3fr_1.3fr_1fr_1fr]">
        <Field label={t`What`} className="max-lg:col-span-2 sm:max-lg:col-span-1">
          {(control) => (
            <Select
              {...control}
              value={search.action ?? ''}
              onChange={(e) => onChange({ action: e.target.value })}
            >
              <option value="">{t`Everything`}</option>
              {groups.map((group) => (
                <optgroup key={group.label} label={group.label}>
                  {group.actions.map((action) => (
                    <option key={action.value} value={action.value}>
                      {action.label}
                    </option>
                  ))}
                </optgroup>
              ))}
            </Select>
          )}
        </Field>
        <Field label={t`By whom`} className="max-lg:col-span-2 sm:max-lg:col-span-1">
          {(control) => (
            <ActorField
              control={control}
              orgId={orgId}
              actorId={search.actor}
              seen={seen}
              onChange={(actor) => onChange({ actor })}
            />
          )}
        </Field>
        <Field label={t`From`}>
          {(control) => (
            <Input
              {...control}
              type="date"
              value={search.from ?? ''}
              max={search.to}
              onChange={(e) => onChange({ from: e.target.value })}
            />
          )}
        </Field>
        <Field label={t`Until`}>
          {(control) => (
            <Input
              {...control}
              type="date"
              value={search.to ?? ''}
              min={search.from}
              onChange={(e) => onChange({ to: e.target.value })}
            />
          )}
        </Field>
      </div>
      {search.subject ? (
        <button
          type="button"
          onClick={() => onChange({ subject: undefined })}
          className="mt-4 inline-flex min-h-9 max-w-full items-center gap-2 rounded-full bg-ink px-3.5 py-1 text-left text-sm font-semibold text-ground"
        >
          <span className="truncate">{about ? t`Only about ${about}` : t`Only about one thing`}</span>
          <X aria-hidden="true" className="size-4 shrink-0" />
          <span className="sr-only">{t`Show everything again`}</span>
        </button>
      ) : null}
    </search>
  );
}
