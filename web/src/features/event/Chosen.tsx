import { plural, t } from '@lingui/core/macro';
import { Timer, X } from 'lucide-react';
import { countdown } from '@/lib/format';
import { seatLabel, seatSummary } from '@/lib/seatNames';
import type { House } from '@/seatmap/house';
import { Button } from '@/ui/Button';
import { cx } from '@/ui/classes';
import { Spinner } from '@/ui/Spinner';
import type { BookFlow } from './useBookFlow';
import { type HoldingsControl, useCountdown } from './useHoldings';

const SOON_MS = 30_000;
const LISTED = 8;

/** The seats one has chosen, how long they are held, and booking them. */
export function Chosen({
  house,
  holdings,
  flow,
}: {
  house: House | null | undefined;
  holdings: HoldingsControl;
  flow: BookFlow;
}) {
  const { wanted, held, expiresAt, sending, away } = holdings.state;
  const seats = [...wanted].sort((a, b) => a - b);
  const summary = seatSummary(house, seats);
  return (
    <div>
      <div className="flex items-center justify-between gap-3">
        <h3 className="text-lg font-semibold">
          {plural(seats.length, { one: '# seat chosen', other: '# seats chosen' })}
        </h3>
        <HoldTimer expiresAt={expiresAt} pending={sending !== null && held.length === 0} />
      </div>
      <p className="sr-only" role="status">
        {summary}
      </p>
      {seats.length <= LISTED ? (
        <ul className="mt-3 divide-y divide-line rounded-lg border border-line">
          {seats.map((seat) => (
            <li
              key={seat}
              className="flex items-center justify-between gap-2 py-1 pr-1 pl-4 text-sm font-medium"
            >
              {seatLabel(house, seat)}
              <button
                type="button"
                aria-label={t`Give back ${seatLabel(house, seat)}`}
                onClick={() => holdings.toggle(seat, holdings.limit)}
                className="grid size-9 place-items-center rounded-full text-muted hover:bg-sunken hover:text-ink"
              >
                <X aria-hidden="true" className="size-4" />
              </button>
            </li>
          ))}
        </ul>
      ) : (
        <p className="mt-3 rounded-lg border border-line px-4 py-3 text-sm font-medium">{summary}</p>
      )}
      {away ? (
        <p className="mt-3 text-sm text-muted">
          {t`Not held: somebody may be faster. They are yours once you book.`}
        </p>
      ) : null}
      <Button
        size="lg"
        className="mt-4 w-full"
        busy={flow.busy}
        onClick={() => flow.book(seats.length, seats)}
      >
        {plural(seats.length, { one: 'Book # seat', other: 'Book # seats' })}
      </Button>
      <Button look="ghost" className="mt-1.5 w-full" onClick={holdings.clear}>
        {t`Choose again`}
      </Button>
    </div>
  );
}

function HoldTimer({ expiresAt, pending }: { expiresAt: number | null; pending: boolean }) {
  const left = useCountdown(expiresAt);
  if (pending) return <Spinner className="text-muted" />;
  if (left === null) return null;
  const soon = left < SOON_MS;
  return (
    <span
      role="timer"
      aria-label={t`Held for you for ${countdown(left)} more`}
      className={cx(
        'figures inline-flex h-8 items-center gap-1.5 rounded-full px-3 text-sm font-semibold',
        soon ? 'bg-warn-soft text-warn' : 'bg-accent-soft text-accent-ink',
      )}
    >
      <Timer aria-hidden="true" className="size-4" />
      {countdown(left)}
    </span>
  );
}
