import { t } from '@lingui/core/macro';
import type { ReactNode } from 'react';
import { cx } from './classes';

/** A grey stand-in of the shape that is about to arrive. */
export function Skeleton({ className }: { className?: string }) {
  return <span aria-hidden="true" className={cx('block animate-pulse rounded-md bg-sunken', className)} />;
}

/** Wraps stand-ins and says once, to those who can't see them, that a wait is on. */
export function Loading({ children, className }: { children: ReactNode; className?: string }) {
  return (
    <div role="status" className={className}>
      <span className="sr-only">{t`Loading…`}</span>
      {children}
    </div>
  );
}
