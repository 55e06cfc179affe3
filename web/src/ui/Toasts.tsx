import { Toast } from '@base-ui/react/toast';
import { t } from '@lingui/core/macro';
import { CircleAlert, CircleCheck, Info, X } from 'lucide-react';
import { useEffect } from 'react';
import { showToastsWith, type ToastKind } from './toast';

const SHOWN_MS = 5000;
const MAX_SHOWN = 3;

const manager = Toast.createToastManager();

const ICONS = { good: CircleCheck, bad: CircleAlert, info: Info };
const COLOURS = { good: 'text-good', bad: 'text-bad', info: 'text-accent-ink' };

function kindOf(type: string | undefined): ToastKind {
  return type === 'good' || type === 'bad' ? type : 'info';
}

function ToastList() {
  const { toasts } = Toast.useToastManager();
  return toasts.map((item) => {
    const kind = kindOf(item.type);
    const Icon = ICONS[kind];
    return (
      <Toast.Root
        key={item.id}
        toast={item}
        swipeDirection={['right', 'up', 'down']}
        className="floating flex w-full items-start gap-3 px-3.5 py-2 transition-[opacity,translate] duration-200 data-[ending-style]:translate-x-6 data-[ending-style]:opacity-0 data-[limited]:hidden data-[starting-style]:-translate-y-4 data-[starting-style]:opacity-0 md:p-4 md:data-[starting-style]:translate-y-4"
      >
        <Icon aria-hidden="true" className={`mt-0.5 size-5 shrink-0 ${COLOURS[kind]}`} />
        <div className="min-w-0 flex-1 self-center">
          <Toast.Title className="text-sm font-semibold wrap-anywhere" />
          <Toast.Description className="text-sm wrap-anywhere text-muted md:mt-0.5" />
        </div>
        <Toast.Close
          aria-label={t`Dismiss`}
          className="-m-1.5 grid size-8 place-items-center rounded-full text-muted hover:bg-sunken hover:text-ink"
        >
          <X aria-hidden="true" className="size-4" />
        </Toast.Close>
      </Toast.Root>
    );
  });
}

/**
 * Where toasts appear: in the corner; on a phone, where any corner is content,
 * over the bar at the top, which always stands there and which nobody needs in
 * that moment.
 */
export function Toasts() {
  useEffect(
    () =>
      showToastsWith(({ kind, title, description }) => {
        manager.add({ title, description, type: kind, priority: kind === 'bad' ? 'high' : 'low' });
      }),
    [],
  );
  return (
    <Toast.Provider toastManager={manager} timeout={SHOWN_MS} limit={MAX_SHOWN}>
      <Toast.Portal>
        <Toast.Viewport
          aria-label={t`Messages`}
          className="fixed inset-x-2 top-[calc(0.25rem+env(safe-area-inset-top))] z-50 mx-auto flex max-w-md flex-col gap-2 md:inset-x-auto md:top-auto md:right-6 md:bottom-6 md:w-[22rem] md:flex-col-reverse"
        >
          <ToastList />
        </Toast.Viewport>
      </Toast.Portal>
    </Toast.Provider>
  );
}
