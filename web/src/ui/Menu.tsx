import { Menu as Base } from '@base-ui/react/menu';
import type { ReactElement, ReactNode } from 'react';
import { cx } from './classes';

/** A menu that hangs from a button. */
export function Menu({
  trigger,
  children,
  align = 'end',
}: {
  trigger: ReactElement;
  children: ReactNode;
  align?: 'start' | 'end';
}) {
  return (
    <Base.Root modal={false}>
      <Base.Trigger render={trigger} />
      <Base.Portal>
        <Base.Positioner sideOffset={8} align={align} className="z-40">
          <Base.Popup className="floating min-w-56 p-1.5 transition-[opacity,scale] duration-100 focus:outline-none data-[ending-style]:scale-95 data-[ending-style]:opacity-0 data-[starting-style]:scale-95 data-[starting-style]:opacity-0">
            {children}
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}

const ITEM = cx(
  'flex min-h-10 w-full cursor-default items-center gap-2.5 rounded-sm px-2.5 text-sm select-none',
  'outline-none data-[highlighted]:bg-sunken',
);

export function MenuItem({
  icon,
  children,
  onSelect,
  tone,
  render,
}: {
  icon?: ReactNode;
  children: ReactNode;
  onSelect?: () => void;
  tone?: 'bad';
  render?: ReactElement;
}) {
  return (
    <Base.Item
      className={cx(ITEM, tone === 'bad' && 'text-bad')}
      {...(onSelect ? { onClick: onSelect } : {})}
      {...(render ? { render } : {})}
    >
      <span aria-hidden="true" className="text-muted [&>svg]:size-4">
        {icon}
      </span>
      {children}
    </Base.Item>
  );
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
    <Base.RadioGroup value={value} onValueChange={(next) => onChange(next as V)} aria-label={label}>
      {options.map((option) => (
        <Base.RadioItem key={option.value} value={option.value} closeOnClick={false} className={ITEM}>
          <span aria-hidden="true" className="text-muted [&>svg]:size-4">
            {option.icon}
          </span>
          <span className="flex-1">{option.label}</span>
          <Base.RadioItemIndicator className="size-2 rounded-full bg-accent" />
        </Base.RadioItem>
      ))}
    </Base.RadioGroup>
  );
}

export function MenuSeparator() {
  return <Base.Separator className="mx-2 my-1.5 h-px bg-line" />;
}
