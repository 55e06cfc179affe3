import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';
import { cx } from './classes';

/** Says that nothing is here, why, and what one can do about it. */
export function EmptyState({
  icon: Icon,
  title,
  children,
  action,
  className,
  page,
}: {
  icon: LucideIcon;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  className?: string;
  /** It is all that the screen shows, so its title is the screen's. */
  page?: boolean;
}) {
  const Title = page ? 'h1' : 'h2';
  return (
    <div className={cx('flex flex-col items-center px-6 py-14 text-center wrap-anywhere', className)}>
      <span className="relative mb-5 grid size-16 place-items-center rounded-2xl bg-accent-soft text-accent-ink">
        <span
          aria-hidden="true"
          className="absolute -inset-2 rounded-[1.75rem] border border-dashed border-line"
        />
        <Icon aria-hidden="true" className="size-7" strokeWidth={1.75} />
      </span>
      <Title className="max-w-full text-lg font-semibold">{title}</Title>
      {children ? <p className="mt-1.5 w-full max-w-sm text-sm text-muted">{children}</p> : null}
      {action ? <div className="mt-6 flex flex-wrap justify-center gap-3">{action}</div> : null}
    </div>
  );
}
