import { plural, t } from '@lingui/core/macro';
import { countdown } from '@/lib/format';
import { Button } from '@/ui/Button';
import type { BookFlow } from './useBookFlow';
import { type HoldingsControl, useCountdown } from './useHoldings';

/** On a phone the panel is below the map; this keeps what is chosen, and booking it, within reach. */
export function PickBar({
  holdings,
  flow,
  visible,
}: {
  holdings: HoldingsControl;
  flow: BookFlow;
  visible: boolean;
}) {
  const chosen = holdings.state.wanted;
  const left = useCountdown(holdings.state.expiresAt);
  if (!visible || chosen.length === 0) return null;
  return (
    <div className="floating fixed inset-x-3 bottom-[calc(4.75rem+env(safe-area-inset-bottom))] z-20 flex items-center gap-3 p-2.5 pl-4 md:hidden">
      <p className="flex-1 text-sm font-semibold">
        {plural(chosen.length, { one: '# seat', other: '# seats' })}
        {holdings.state.away ? (
          <span className="ml-2 font-medium text-muted">{t`not held`}</span>
        ) : left !== null ? (
          <span className="figures ml-2 font-medium text-muted">{countdown(left)}</span>
        ) : null}
      </p>
      <Button busy={flow.busy} onClick={() => flow.book(chosen.length, chosen)}>
        {t`Book now`}
      </Button>
    </div>
  );
}
