import type { InputHTMLAttributes } from 'react';
import { cx } from './classes';

/** On or off, taking effect at once. Its place tells the state as well as its colour. */
export function Switch({
  className,
  checked,
  ...rest
}: Omit<InputHTMLAttributes<HTMLInputElement>, 'type' | 'role' | 'checked'> & {
  'aria-label': string;
  checked: boolean;
}) {
  return (
    <input
      type="checkbox"
      role="switch"
      checked={checked}
      aria-checked={checked}
      className={cx(
        'relative h-6 w-10 shrink-0 cursor-pointer appearance-none rounded-full border border-line-strong bg-sunken transition-colors',
        'before:absolute before:top-1/2 before:left-[3px] before:size-4 before:-translate-y-1/2 before:rounded-full before:bg-line-strong before:transition-[translate,background-color]',
        'checked:border-accent checked:bg-accent checked:before:translate-x-4 checked:before:bg-on-accent',
        // A finger's width around it, also where rows are dense.
        'after:absolute after:-inset-x-1 after:-inset-y-2.5',
        'disabled:cursor-not-allowed disabled:opacity-55',
        className,
      )}
      {...rest}
    />
  );
}
