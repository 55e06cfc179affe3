import { Link, type LinkComponentProps } from '@tanstack/react-router';
import type { ButtonHTMLAttributes, ReactNode, Ref } from 'react';
import { cx } from './classes';
import { Spinner } from './Spinner';

export type ButtonLook = 'primary' | 'secondary' | 'ghost' | 'danger' | 'soft';
export type ButtonSize = 'sm' | 'md' | 'lg';

const LOOKS: Record<ButtonLook, string> = {
  primary: 'bg-accent text-on-accent hover:bg-accent-hover shadow-card',
  secondary: 'bg-surface text-ink border border-line hover:bg-sunken shadow-card',
  soft: 'bg-accent-soft text-accent-ink hover:brightness-[0.97]',
  ghost: 'text-muted hover:text-ink hover:bg-sunken',
  danger: 'bg-bad-fill text-on-accent hover:brightness-110 shadow-card',
};

// Fingers get 44 px where a control stands alone; only dense rows use `sm`.
const SIZES: Record<ButtonSize, string> = {
  sm: 'h-9 px-3 text-sm gap-1.5 rounded-sm',
  md: 'h-11 px-4 text-sm gap-2 rounded-md',
  lg: 'h-12 px-5 text-base gap-2 rounded-lg',
};

/** The classes of a button, for links and triggers that look like one. */
export function buttonClass(look: ButtonLook = 'primary', size: ButtonSize = 'md', extra?: string): string {
  return cx(
    'inline-flex shrink-0 items-center justify-center font-semibold whitespace-nowrap select-none',
    'transition-[background-color,color,filter,transform] duration-150 active:translate-y-px',
    'disabled:opacity-55 disabled:active:translate-y-0',
    LOOKS[look],
    SIZES[size],
    extra,
  );
}

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: ButtonLook;
  size?: ButtonSize;
  /** Shows that the press is being worked on and takes no second one. */
  busy?: boolean;
  icon?: ReactNode;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({
  look,
  size,
  busy,
  icon,
  className,
  children,
  disabled,
  type,
  ...rest
}: ButtonProps) {
  return (
    <button
      type={type ?? 'button'}
      className={buttonClass(look, size, className)}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {busy ? <Spinner /> : icon}
      {children}
    </button>
  );
}

type ButtonLinkProps = LinkComponentProps<'a'> & {
  look?: ButtonLook;
  size?: ButtonSize;
  icon?: ReactNode;
  children: ReactNode;
};

/** A link to another screen that looks like a button. */
export function ButtonLink({ look, size, icon, className, children, ...rest }: ButtonLinkProps) {
  return (
    <Link
      {...rest}
      className={buttonClass(look, size, typeof className === 'string' ? className : undefined)}
    >
      {icon}
      {children}
    </Link>
  );
}

/** A round button that shows only an icon; its label is for those who can't see it. */
export function IconButton({ label, className, children, type, ...rest }: ButtonProps & { label: string }) {
  return (
    <button
      type={type ?? 'button'}
      aria-label={label}
      title={label}
      className={cx(
        'relative inline-flex size-11 shrink-0 items-center justify-center rounded-full text-muted',
        'transition-colors hover:bg-sunken hover:text-ink disabled:opacity-50',
        className,
      )}
      {...rest}
    >
      {children}
    </button>
  );
}
