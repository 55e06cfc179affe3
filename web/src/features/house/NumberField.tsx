import { t } from '@lingui/core/macro';
import { useState } from 'react';
import { Field, Input } from '@/ui/Field';

/** A whole number as it is typed; what is not one between the limits is not taken, and gone when one leaves. */
export function NumberField({
  label,
  hideLabel,
  value,
  min = 1,
  max,
  onBegin,
  onChange,
}: {
  label: string;
  hideLabel?: boolean;
  /** Null where there are several. */
  value: number | null;
  min?: number;
  max: number;
  /** One is about to type. */
  onBegin?: () => void;
  onChange: (value: number) => void;
}) {
  const [typed, setTyped] = useState<string | null>(null);
  const change = (text: string) => {
    setTyped(text);
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= min && number <= max && number !== value) onChange(number);
  };
  const taken = typed === null || (/^\d+$/.test(typed) && Number(typed) >= min && Number(typed) <= max);
  return (
    <Field
      label={label}
      hideLabel={hideLabel ?? false}
      error={taken || typed === '' ? undefined : t`Use a number from ${min} to ${max}.`}
    >
      {(control) => (
        <Input
          {...control}
          inputMode="numeric"
          autoComplete="off"
          className="figures"
          placeholder={value === null ? t`varies` : undefined}
          value={typed ?? value ?? ''}
          onFocus={onBegin}
          onChange={(e) => change(e.target.value.trim())}
          onBlur={() => setTyped(null)}
        />
      )}
    </Field>
  );
}
