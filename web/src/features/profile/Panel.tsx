import { type ReactNode, useId } from 'react';
import { Card } from '@/ui/Card';

/** One matter of the profile: what it is, in a sentence what it means, and what one can do. */
export function Panel({
  title,
  lead,
  children,
  tone,
}: {
  title: ReactNode;
  lead?: ReactNode;
  children?: ReactNode;
  /** Marks what can't be taken back. */
  tone?: 'bad';
}) {
  const id = useId();
  return (
    <section aria-labelledby={id} className="mb-5">
      <Card className={tone === 'bad' ? 'border-bad/40! p-5 sm:p-6' : 'p-5 sm:p-6'}>
        <h2 id={id} className="flex flex-wrap items-center gap-x-3 gap-y-1 font-semibold">
          {title}
        </h2>
        {lead ? <div className="mt-1 text-sm text-muted">{lead}</div> : null}
        {children ? <div className="mt-4">{children}</div> : null}
      </Card>
    </section>
  );
}
