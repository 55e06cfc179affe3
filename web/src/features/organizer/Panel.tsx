import { type ReactNode, useId } from 'react';
import { Card } from '@/ui/Card';
import { cx } from '@/ui/classes';

/** A part of a screen with its own heading. */
export function Panel({
  title,
  lead,
  children,
  className,
}: {
  title: string;
  lead?: ReactNode;
  children: ReactNode;
  className?: string;
}) {
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <Card className={cx('p-5 sm:p-6', className)}>
        <h2 id={id} className="text-lg font-semibold">
          {title}
        </h2>
        {lead ? <p className="mt-1 text-sm text-muted">{lead}</p> : null}
        <div className="mt-5 space-y-5">{children}</div>
      </Card>
    </section>
  );
}
