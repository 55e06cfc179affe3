import { t } from '@lingui/core/macro';
import { Button } from '@/ui/Button';
import { Notice } from '@/ui/Notice';
import type { Rebased, SettingsForm } from './settingsForm';

/** What others saved while one was typing, and that one's own is not saved yet. */
export function TheirChanges({
  theirs,
  onMine,
}: {
  theirs: Rebased['theirs'];
  /** Puts one's own text back where theirs holds. */
  onMine: (field: keyof SettingsForm, value: string) => void;
}) {
  return (
    <Notice tone="warn" live title={t`Somebody else changed these settings meanwhile`}>
      <p>
        {theirs.length === 0
          ? t`Nothing that stands in this form. Save once more.`
          : t`What you typed elsewhere is still here. Look at what is new and save once more.`}
      </p>
      <ul className="mt-2 space-y-2">
        {theirs.map(({ field, value, mine }) => (
          <li key={field}>
            <span className="font-semibold">{fieldName(field)}</span>
            <span className="line-clamp-3 wrap-anywhere whitespace-pre-line">
              {value === '' ? t`emptied` : value}
            </span>
            {mine === null ? null : (
              <Button
                size="sm"
                look="secondary"
                className="mt-1.5"
                aria-label={t`${fieldName(field)}: use mine instead`}
                onClick={() => onMine(field, mine)}
              >
                {t`Use mine instead`}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </Notice>
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
