import { AlertDialog } from '@base-ui/react/alert-dialog';
import { Dialog as Base } from '@base-ui/react/dialog';
import { t } from '@lingui/core/macro';
import { X } from 'lucide-react';
import type { ReactNode } from 'react';
import { Button, IconButton } from './Button';
import { cx } from './classes';

const BACKDROP = cx(
  'fixed inset-0 bg-black/45 backdrop-blur-[2px] transition-opacity duration-150',
  'data-[ending-style]:opacity-0 data-[starting-style]:opacity-0',
);
// A sheet from the bottom on a phone, a card in the middle elsewhere.
const POPUP = cx(
  'fixed inset-x-0 bottom-0 flex max-h-[92dvh] flex-col overflow-hidden rounded-t-2xl border border-line bg-raised shadow-float',
  'sm:inset-auto sm:top-1/2 sm:left-1/2 sm:max-w-[92vw] sm:-translate-x-1/2 sm:-translate-y-1/2 sm:rounded-2xl',
  'transition-[opacity,scale,translate] duration-150 focus:outline-none',
  'data-[ending-style]:translate-y-4 data-[ending-style]:opacity-0 sm:data-[ending-style]:-translate-y-1/2 sm:data-[ending-style]:scale-95',
  'data-[starting-style]:translate-y-4 data-[starting-style]:opacity-0 sm:data-[starting-style]:-translate-y-1/2 sm:data-[starting-style]:scale-95',
);

const NARROW = 'sm:w-[28rem]';
const WIDE = 'sm:w-[44rem]';

/** A dialog with a title and a way out. */
export function Dialog({
  open,
  onOpenChange,
  title,
  description,
  children,
  footer,
  wide,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description?: ReactNode;
  children?: ReactNode;
  footer?: ReactNode;
  /** It shows a map, or a table. */
  wide?: boolean;
}) {
  return (
    <Base.Root open={open} onOpenChange={onOpenChange}>
      <Base.Portal>
        <Base.Backdrop className={BACKDROP} />
        <Base.Popup className={cx(POPUP, wide ? WIDE : NARROW)}>
          <header className="flex items-start gap-3 px-6 pt-5">
            <div className="min-w-0 flex-1 pt-1 wrap-anywhere">
              <Base.Title className="text-lg font-semibold">{title}</Base.Title>
              {description ? (
                <Base.Description className="mt-1 text-sm text-muted">{description}</Base.Description>
              ) : null}
            </div>
            <Base.Close render={<IconButton label={t`Close`} className="-mr-3" />}>
              <X aria-hidden="true" className="size-5" />
            </Base.Close>
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto px-6 py-4">{children}</div>
          {footer ? <footer className="flex justify-end gap-2 px-6 pb-6">{footer}</footer> : null}
        </Base.Popup>
      </Base.Portal>
    </Base.Root>
  );
}

/** Asks before something that can't be taken back. */
export function Confirm({
  open,
  onOpenChange,
  title,
  children,
  action,
  keep,
  busy,
  onConfirm,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  children: ReactNode;
  /** What the confirming button says: the deed, never "OK". */
  action: string;
  /** What the other button says; it stands first for the keyboard. */
  keep: string;
  busy?: boolean;
  onConfirm: () => void;
}) {
  return (
    <AlertDialog.Root open={open} onOpenChange={onOpenChange}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className={BACKDROP} />
        <AlertDialog.Popup className={cx(POPUP, NARROW)}>
          <div className="min-h-0 overflow-y-auto px-6 pt-6 pb-2 wrap-anywhere">
            <AlertDialog.Title className="text-lg font-semibold">{title}</AlertDialog.Title>
            <AlertDialog.Description render={<div />} className="mt-2 text-sm text-muted">
              {children}
            </AlertDialog.Description>
          </div>
          <footer className="flex flex-col-reverse gap-2 px-6 pt-3 pb-6 sm:flex-row sm:justify-end">
            <AlertDialog.Close render={<Button look="secondary" />}>{keep}</AlertDialog.Close>
            <Button look="danger" busy={busy ?? false} onClick={onConfirm}>
              {action}
            </Button>
          </footer>
        </AlertDialog.Popup>
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}
