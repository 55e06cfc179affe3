import { dateBlock } from '@/lib/format';
import { cx } from '@/ui/classes';

/** Month over day, in the event's own zone. The full date stands beside it in text. */
export function DateBlock({ iso, zone, className }: { iso: string; zone: string; className?: string }) {
  const { month, day } = dateBlock(iso, zone);
  return (
    <span
      aria-hidden="true"
      className={cx(
        'flex w-12 shrink-0 flex-col items-center overflow-hidden rounded-md border border-line bg-surface text-center',
        className,
      )}
    >
      <span className="w-full bg-accent-soft py-0.5 text-[0.68rem] font-bold tracking-wide text-accent-ink uppercase">
        {month}
      </span>
      <span className="figures py-0.5 text-lg leading-tight font-semibold">{day}</span>
    </span>
  );
}
