import { cx } from './classes';

// CSSOM writes are allowed where style attributes in markup are not; React
// writes styles the same way, so a width by `style` is safe under our policy.

/** How much of something is taken. The words beside it tell the same. */
export function Meter({
  share,
  tone,
  className,
}: {
  share: number;
  tone: 'accent' | 'warn' | 'bad';
  className?: string;
}) {
  const colour = { accent: 'bg-accent', warn: 'bg-warn-fill', bad: 'bg-bad-fill' }[tone];
  return (
    <span aria-hidden="true" className={cx('block h-1.5 overflow-hidden rounded-full bg-sunken', className)}>
      <span
        className={cx('block h-full rounded-full transition-[width] duration-500', colour)}
        style={{ width: `${Math.min(1, Math.max(0, share)) * 100}%` }}
      />
    </span>
  );
}
