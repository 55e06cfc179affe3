import { type ReactNode, useId } from 'react';
import { Card } from './Card';
import { cx } from './classes';

/** A part of a screen with its own heading: what it is about, and what one can do there. */
export function Panel({
  title,
  lead,
  children,
  className,
}: {
  title: ReactNode;
  lead?: ReactNode;
  children?: ReactNode;
  className?: string;
}) {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <Card className={cx('p-5 sm:p-6', className)}>
        <h2 id={id} className="flex flex-wrap items-center gap-x-3 gap-y-1 text-lg font-semibold">
          {title}
        </h2>
        {lead ? <p className="mt-1 text-sm text-muted">{lead}</p> : null}
        {children ? <div className="mt-5 space-y-5">{children}</div> : null}
      </Card>
    </section>
  );
}
