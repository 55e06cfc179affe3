import { Popover } from '@base-ui/react/popover';
import { createContext, type KeyboardEvent, type ReactElement, type ReactNode, use, useState } from 'react';
import { cx } from './classes';

const CloseMenu = createContext<() => void>(() => {});

const ITEMS = 'a[data-item], button[data-item]';

// Tab works as everywhere; arrows are what hands expect of a list of commands.
function moveFocus(e: KeyboardEvent<HTMLElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
  if (!step) return;
  e.preventDefault();
  const items = [...e.currentTarget.querySelectorAll<HTMLElement>(ITEMS)];
  const at = items.indexOf(document.activeElement as HTMLElement);
  items[(at + step + items.length) % items.length]?.focus();
}

/** Commands and choices that hang from a button. */
export function Menu({
  trigger,
  label,
  children,
}: {
  trigger: ReactElement;
  label: string;
  children: ReactNode;
}) {
  const [open, setOpen] = useState(false);
  return (
    <Popover.Root open={open} onOpenChange={setOpen}>
      <Popover.Trigger render={trigger} />
      <Popover.Portal>
        <Popover.Positioner sideOffset={8} align="end" className="z-40">
          <Popover.Popup
            aria-label={label}
            onKeyDown={moveFocus}
            className="floating min-w-56 p-1.5 transition-[opacity,scale] duration-100 focus:outline-none data-[ending-style]:scale-95 data-[ending-style]:opacity-0 data-[starting-style]:scale-95 data-[starting-style]:opacity-0"
          >
            <CloseMenu value={() => setOpen(false)}>{children}</CloseMenu>
          </Popover.Popup>
        </Popover.Positioner>
      </Popover.Portal>
    </Popover.Root>
  );
}

const ITEM = cx(
  'flex min-h-10 w-full items-center gap-2.5 rounded-sm px-2.5 text-left text-sm select-none',
  'hover:bg-sunken focus-visible:bg-sunken focus-visible:-outline-offset-2',
);

function Icon({ children }: { children: ReactNode }) {
  return (
    <span aria-hidden="true" className="text-muted [&>svg]:size-4">
      {children}
    </span>
  );
}

/** A command. */
export function MenuItem({
  icon,
  children,
  onSelect,
  tone,
}: {
  icon: ReactNode;
  children: ReactNode;
  onSelect: () => void;
  tone?: 'bad';
}) {
  const close = use(CloseMenu);
  return (
    <button
      type="button"
      data-item
      className={cx(ITEM, tone === 'bad' && 'text-bad')}
      onClick={() => {
        close();
        onSelect();
      }}
    >
      <Icon>{icon}</Icon>
      {children}
    </button>
  );
}

/** A way to another screen; `render` gets what makes the link one of the menu's. */
export function MenuLink({
  icon,
  children,
  render,
}: {
  icon: ReactNode;
  children: ReactNode;
  render: (props: {
    className: string;
    onClick: () => void;
    'data-item': true;
    children: ReactNode;
  }) => ReactNode;
}) {
  const close = use(CloseMenu);
  return render({
    className: ITEM,
    onClick: close,
    'data-item': true,
    children: (
      <>
        <Icon>{icon}</Icon>
        {children}
      </>
    ),
  });
}

/** One of several choices, of which exactly one holds. */
export function MenuChoice<V extends string>({
  label,
  value,
  onChange,
  options,
}: {
  label: string;
  value: V;
  onChange: (value: V) => void;
  options: readonly { value: V; label: string; icon: ReactNode }[];
}) {
  return (
    <fieldset>
      <legend className="sr-only">{label}</legend>
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          data-item
          aria-pressed={option.value === value}
          className={ITEM}
          onClick={() => onChange(option.value)}
        >
          <Icon>{option.icon}</Icon>
          <span className="flex-1">{option.label}</span>
          {option.value === value ? (
            <span aria-hidden="true" className="size-2 rounded-full bg-accent" />
          ) : null}
        </button>
      ))}
    </fieldset>
  );
}

export function MenuSeparator() {
  return <hr className="mx-2 my-1.5 border-line" />;
}
