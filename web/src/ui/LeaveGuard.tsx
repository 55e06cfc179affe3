import { t } from '@lingui/core/macro';
import { useBlocker } from '@tanstack/react-router';
import { Confirm } from './Dialog';

/** Asks before one leaves a screen on which something is typed and not saved. */
export function LeaveGuard({ dirty }: { dirty: boolean }) {
  const blocker = useBlocker({
    // An address that names the same screen takes nothing away.
    shouldBlockFn: ({ current, next }) =>
      current.pathname !== next.pathname || JSON.stringify(current.search) !== JSON.stringify(next.search),
    enableBeforeUnload: dirty,
    disabled: !dirty,
    withResolver: true,
  });
  return (
    <Confirm
      open={blocker.status === 'blocked'}
      onOpenChange={(open) => !open && blocker.reset?.()}
      title={t`Leave without saving?`}
      action={t`Leave`}
      keep={t`Stay here`}
      onConfirm={() => blocker.proceed?.()}
    >
      {t`What you typed here would be lost.`}
    </Confirm>
  );
}
