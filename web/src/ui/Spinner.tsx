import { cx } from './classes';

/** Something is being worked on; what it is, the text beside it says. */
export function Spinner({ className }: { className?: string }) {
  return (
    <span
      aria-hidden="true"
      className={cx(
        'inline-block size-4 animate-spin rounded-full border-2 border-current border-r-transparent opacity-80',
        className,
      )}
    />
  );
}
