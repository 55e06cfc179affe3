// Editing goes on while others save: what was typed is put onto what they saved.
import type { FieldValues, Path, PathValue, UseFormReturn } from 'react-hook-form';

/** A form whose fields are all texts. */
export type Texts<F> = { readonly [K in keyof F]: string };

export interface Theirs<F> {
  readonly field: keyof F & string;
  readonly value: string;
  /** What was typed into the same field; null where nothing was. */
  readonly mine: string | null;
}

export interface Rebased<F> {
  /** The newest with everything typed that nobody else changed. */
  readonly form: F;
  /** What others changed since, in the order of the form. */
  readonly theirs: readonly Theirs<F>[];
}

/** Puts what was typed onto what others saved meanwhile, which wins where both changed the same. */
export function rebased<F extends Texts<F>>(
  typed: F,
  before: F,
  newest: F,
  differs: (a: F, b: F, field: keyof F & string) => boolean,
): Rebased<F> {
  const form = { ...newest };
  const theirs: Theirs<F>[] = [];
  for (const field of Object.keys(before) as (keyof F & string)[]) {
    const mine = differs(typed, before, field) && differs(typed, newest, field);
    if (differs(newest, before, field)) {
      theirs.push({ field, value: newest[field], mine: mine ? typed[field] : null });
    } else if (mine) form[field] = typed[field];
  }
  return { form, theirs };
}

/** Shows in a form what was put together: only what was typed differs from the newest, and is saved. */
export function fill<F extends FieldValues & Texts<F>>(form: UseFormReturn<F>, newest: F, merged: F): void {
  form.reset(newest);
  for (const field of Object.keys(newest) as (keyof F & string)[]) {
    if (merged[field] !== newest[field]) put(form, field, merged[field]);
  }
}

/** Types a text into a field. */
export function put<F extends FieldValues & Texts<F>>(
  form: UseFormReturn<F>,
  field: keyof F & string,
  text: string,
): void {
  form.setValue(field as unknown as Path<F>, text as PathValue<F, Path<F>>, {
    shouldDirty: true,
    shouldValidate: true,
  });
}
