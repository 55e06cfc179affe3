import { ChevronDown, CircleAlert } from 'lucide-react';
import {
  type InputHTMLAttributes,
  type ReactNode,
  type Ref,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
} from 'react';
import { cx } from './classes';

const CONTROL = cx(
  'w-full rounded-md border border-line-strong/60 bg-surface px-3 text-base text-ink sm:text-sm',
  'placeholder:text-muted transition-colors hover:border-line-strong',
  'focus:outline-2 focus:outline-offset-0 focus:outline-accent-ink',
  'aria-invalid:border-bad aria-invalid:outline-bad disabled:opacity-60',
);

export function Input({
  className,
  ...rest
}: InputHTMLAttributes<HTMLInputElement> & { ref?: Ref<HTMLInputElement> }) {
  return <input className={cx(CONTROL, 'h-11', className)} {...rest} />;
}

export function Textarea({
  className,
  ...rest
}: TextareaHTMLAttributes<HTMLTextAreaElement> & { ref?: Ref<HTMLTextAreaElement> }) {
  return <textarea className={cx(CONTROL, 'min-h-32 py-2.5 leading-relaxed', className)} {...rest} />;
}

/**
 * The platform's own list: it works by keyboard, by voice and well on a phone.
 * Its arrow differs between platforms, so we draw our own beside it.
 */
export function Select({
  className,
  large,
  ...rest
}: Omit<SelectHTMLAttributes<HTMLSelectElement>, 'size' | 'multiple'> & {
  /** Places the whole; the look is the control's own. */
  className?: string;
  /** As tall as the search box. */
  large?: boolean;
  ref?: Ref<HTMLSelectElement>;
}) {
  return (
    <span className={cx('relative block', className)}>
      <select
        className={cx(CONTROL, 'appearance-none truncate pr-10', large ? 'h-12 rounded-lg!' : 'h-11')}
        {...rest}
      />
      <ChevronDown
        aria-hidden="true"
        className="pointer-events-none absolute top-1/2 right-3 size-4 -translate-y-1/2 text-muted"
      />
    </span>
  );
}

/** What a control needs to be tied to its label, hint and error. */
export interface ControlProps {
  id: string;
  'aria-describedby': string | undefined;
  'aria-invalid': boolean | undefined;
}

/** A label over a control, with a hint and, when the value is wrong, why. */
export function Field({
  label,
  hint,
  error,
  optional,
  hideLabel,
  className,
  children,
}: {
  label: string;
  /** The screen names the control in another way already, for those who see it. */
  hideLabel?: boolean;
  hint?: ReactNode;
  error?: string | undefined;
  optional?: string;
  className?: string;
  children: (control: ControlProps) => ReactNode;
}) {
  const id = useId();
  const described = cx(hint && !error ? `${id}-hint` : null, error ? `${id}-error` : null);
  return (
    <div className={cx('flex flex-col gap-1.5', className)}>
      <label
        htmlFor={id}
        className={hideLabel ? 'sr-only' : 'flex items-baseline justify-between text-sm font-semibold'}
      >
        {label}
        {optional ? <span className="text-xs font-normal text-muted">{optional}</span> : null}
      </label>
      {children({ id, 'aria-describedby': described || undefined, 'aria-invalid': error ? true : undefined })}
      {error ? (
        <p id={`${id}-error`} role="alert" className="flex items-start gap-1.5 text-sm text-bad">
          <CircleAlert aria-hidden="true" className="mt-0.5 size-4 shrink-0" />
          {error}
        </p>
      ) : hint ? (
        <p id={`${id}-hint`} className="text-sm text-muted">
          {hint}
        </p>
      ) : null}
    </div>
  );
}
