import { t } from '@lingui/core/macro';
import { Minus, Plus } from 'lucide-react';
import { useId } from 'react';

const STEP =
  'grid size-11 place-items-center rounded-md text-ink transition-colors hover:bg-sunken disabled:opacity-35 disabled:hover:bg-transparent';

/** A small number chosen by plus and minus, or typed. */
export function Stepper({
  label,
  value,
  min,
  max,
  onChange,
}: {
  label: string;
  value: number;
  min: number;
  max: number;
  onChange: (value: number) => void;
}) {
  const id = useId();
  const set = (next: number) => onChange(Math.min(max, Math.max(min, Math.trunc(next) || min)));
  return (
    <div className="inline-flex items-center rounded-lg border border-line-strong/60 bg-surface">
      <button
        type="button"
        className={STEP}
        aria-label={t`Fewer`}
        disabled={value <= min}
        onClick={() => set(value - 1)}
      >
        <Minus aria-hidden="true" className="size-4" />
      </button>
      <label htmlFor={id} className="sr-only">
        {label}
      </label>
      <input
        id={id}
        inputMode="numeric"
        value={value}
        onChange={(e) => set(Number(e.target.value.replace(/\D/g, '')))}
        className="figures h-11 w-10 bg-transparent text-center text-base font-semibold focus-visible:outline-offset-[-2px]"
      />
      <button
        type="button"
        className={STEP}
        aria-label={t`More`}
        disabled={value >= max}
        onClick={() => set(value + 1)}
      >
        <Plus aria-hidden="true" className="size-4" />
      </button>
    </div>
  );
}
