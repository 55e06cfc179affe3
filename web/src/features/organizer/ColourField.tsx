import { t } from '@lingui/core/macro';
import { Check } from 'lucide-react';
import { accentStyle, contrast, palettes, readColour } from '@/features/organization/colour';
import { Field, Input } from '@/ui/Field';

const SWATCHES = [
  '#4f46e5',
  '#0b6bcb',
  '#0e7490',
  '#0f766e',
  '#2e7d32',
  '#a16207',
  '#c2410c',
  '#be123c',
  '#a21caf',
  '#475569',
];

/** Any colour may be chosen; the samples show what becomes of it where it would be hard to read. */
export function ColourField({
  value,
  error,
  onChange,
}: {
  value: string;
  error: string | undefined;
  onChange: (value: string) => void;
}) {
  const colour = readColour(value);
  return (
    <fieldset>
      <legend className="mb-1.5 text-sm font-semibold">{t`Colour`}</legend>
      <div className="flex flex-wrap gap-2">
        <button
          type="button"
          aria-pressed={value.trim() === ''}
          onClick={() => onChange('')}
          className="h-11 rounded-md border border-line-strong/60 px-3 text-sm font-semibold text-muted transition-colors hover:border-line-strong hover:text-ink aria-pressed:border-accent-ink aria-pressed:bg-accent-soft aria-pressed:text-accent-ink"
        >
          {t`None`}
        </button>
        {SWATCHES.map((swatch) => (
          <button
            key={swatch}
            type="button"
            aria-label={t`Colour ${swatch}`}
            title={swatch}
            aria-pressed={colour === swatch}
            onClick={() => onChange(swatch)}
            className="grid size-11 place-items-center rounded-md text-white ring-offset-2 ring-offset-surface transition-shadow aria-pressed:ring-2 aria-pressed:ring-ink"
            style={{ background: swatch }}
          >
            {colour === swatch ? <Check aria-hidden="true" className="size-5" /> : null}
          </button>
        ))}
      </div>
      <div className="mt-4 grid items-start gap-5 sm:grid-cols-[12rem_1fr]">
        <Field label={t`Exactly`} hint={t`For example #3f5bd9.`} error={error}>
          {(control) => (
            <span className="flex gap-2">
              <Input
                {...control}
                value={value}
                maxLength={9}
                autoComplete="off"
                spellCheck={false}
                className="font-mono"
                onChange={(e) => onChange(e.target.value)}
              />
              <input
                type="color"
                aria-label={t`Pick a colour`}
                value={colour ?? '#4f46e5'}
                onChange={(e) => onChange(e.target.value)}
                className="h-11 w-12 shrink-0 cursor-pointer rounded-md border border-line-strong/60 bg-surface p-1"
              />
            </span>
          )}
        </Field>
        <div>
          <p className="mb-1.5 text-sm font-semibold">{t`How it looks`}</p>
          <div className="grid grid-cols-2 overflow-hidden rounded-md border border-line">
            <Sample scheme="light" colour={colour} label={t`Light`} />
            <Sample scheme="dark" colour={colour} label={t`Dark`} />
          </div>
          <p className="mt-1.5 text-sm text-muted">{colour && adjusted(colour)}</p>
        </div>
      </div>
    </fieldset>
  );
}

// A difference that nobody sees need not be told.
const NOTICEABLE = 1.15;

function adjusted(colour: string): string {
  const { light, dark } = palettes(colour);
  const moved = [light, dark].some((palette) => contrast(palette.accent, colour) > NOTICEABLE);
  return moved
    ? t`Buttons and links get a lighter or darker shade of it where it would be hard to see.`
    : t`Buttons keep exactly this colour, light and dark.`;
}

function Sample({
  scheme,
  colour,
  label,
}: {
  scheme: 'light' | 'dark';
  colour: string | null;
  label: string;
}) {
  return (
    <div
      className="flex flex-wrap items-center gap-x-3 gap-y-2 bg-ground p-3 text-sm"
      style={{ ...accentStyle(colour), colorScheme: scheme }}
    >
      <span className="rounded-sm bg-accent px-3 py-1.5 font-semibold text-on-accent">{t`Book`}</span>
      <span className="font-semibold text-accent-ink underline underline-offset-4">{label}</span>
      <span aria-hidden="true" className="block h-1.5 w-full overflow-hidden rounded-full bg-sunken">
        <span className="block h-full w-2/3 bg-accent" />
      </span>
    </div>
  );
}
