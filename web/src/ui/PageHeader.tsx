import { Link, type LinkComponentProps } from '@tanstack/react-router';
import { ChevronLeft } from 'lucide-react';
import type { ReactNode } from 'react';

/** A screen's title, what it belongs to, and what one can do there. */
export function PageHeader({
  title,
  lead,
  actions,
  back,
}: {
  title: ReactNode;
  lead?: ReactNode;
  actions?: ReactNode;
  back?: ReactNode;
}) {
  return (
    <header className="pt-8 pb-6 sm:pt-10">
      {back ? <div className="mb-3">{back}</div> : null}
      <div className="flex flex-wrap items-end justify-between gap-4">
        <div className="min-w-0 wrap-anywhere">
          <h1 className="text-2xl font-bold">{title}</h1>
          {lead ? <div className="mt-1 text-muted">{lead}</div> : null}
        </div>
        {actions ? <div className="flex flex-wrap gap-2">{actions}</div> : null}
      </div>
    </header>
  );
}

/** The way up, above a title. */
export function BackLink({ children, ...rest }: LinkComponentProps<'a'> & { children: ReactNode }) {
  return (
    <Link
      {...rest}
      className="-ml-1 inline-flex h-8 max-w-full items-center gap-1 rounded-sm pr-2 text-sm font-semibold text-muted hover:text-ink"
    >
      <ChevronLeft aria-hidden="true" className="size-4 shrink-0" />
      <span className="truncate">{children}</span>
    </Link>
  );
}
