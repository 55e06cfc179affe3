import { t } from '@lingui/core/macro';
import { Button } from '@/ui/Button';
import { Notice } from '@/ui/Notice';
import type { Theirs } from './rebase';

/** What others saved while one was typing, and that one's own is not saved yet. */
export function TheirChanges<F>({
  title,
  theirs,
  nameOf,
  told = (_, value) => (value === '' ? t`emptied` : value),
  onMine,
}: {
  title: string;
  theirs: readonly Theirs<F>[];
  nameOf: (field: keyof F & string) => string;
  /** A field's text as people read it. */
  told?: (field: keyof F & string, value: string) => string;
  /** Puts one's own text back where theirs holds. */
  onMine: (field: keyof F & string, value: string) => void;
}) {
  return (
    <Notice tone="warn" live title={title}>
      <p>
        {theirs.length === 0
          ? t`Nothing that stands in this form. Save once more.`
          : t`What you typed elsewhere is still here. Look at what is new and save once more.`}
      </p>
      <ul className="mt-2 space-y-2">
        {theirs.map(({ field, value, mine }) => (
          <li key={field}>
            <span className="font-semibold">{nameOf(field)}</span>
            <span className="line-clamp-3 wrap-anywhere whitespace-pre-line">{told(field, value)}</span>
            {mine === null ? null : (
              <>
                <span className="line-clamp-3 wrap-anywhere whitespace-pre-line text-muted">
                  {t`You typed: ${told(field, mine)}`}
                </span>
                <Button
                  size="sm"
                  look="secondary"
                  className="mt-1.5"
                  aria-label={t`${nameOf(field)}: use mine instead`}
                  onClick={() => onMine(field, mine)}
                >
                  {t`Use mine instead`}
                </Button>
              </>
            )}
          </li>
        ))}
      </ul>
    </Notice>
  );
}
