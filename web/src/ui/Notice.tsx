import { CircleAlert, CircleCheck, Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import { TONES, type Tone } from './Badge';
import { cx } from './classes';

const ICONS = { neutral: Info, accent: Info, good: CircleCheck, warn: TriangleAlert, bad: CircleAlert };

/** A message within a screen. `live` announces it when it appears. */
export function Notice({
  tone = 'neutral',
  title,
  children,
  action,
  live,
  className,
}: {
  tone?: Tone;
  title?: string;
  children?: ReactNode;
  action?: ReactNode;
  live?: boolean;
  className?: string;
}) {
  const Icon = ICONS[tone];
  return (
    <div
      role={live ? (tone === 'bad' ? 'alert' : 'status') : undefined}
      className={cx('flex gap-3 rounded-lg px-4 py-3 text-sm', TONES[tone], className)}
    >
      <Icon aria-hidden="true" className="mt-px size-[1.15rem] shrink-0" />
      <div className="min-w-0 flex-1">
        {title ? <p className="font-semibold">{title}</p> : null}
        {children ? <div className="text-ink/85">{children}</div> : null}
        {action ? <div className="mt-2.5 flex flex-wrap gap-2">{action}</div> : null}
      </div>
    </div>
  );
}
