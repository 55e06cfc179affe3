import { Tabs as Base } from '@base-ui/react/tabs';
import type { ReactNode } from 'react';

export interface TabItem<K extends string> {
  readonly key: K;
  readonly label: ReactNode;
  readonly content: ReactNode;
}

/** Views of one thing side by side. Only the chosen one is mounted. */
export function Tabs<K extends string>({
  value,
  onChange,
  items,
  label,
}: {
  value: K;
  onChange: (key: K) => void;
  items: readonly TabItem<K>[];
  label: string;
}) {
  return (
    <Base.Root value={value} onValueChange={(next) => onChange(next as K)}>
      <Base.List aria-label={label} className="flex gap-1 overflow-x-auto border-b border-line">
        {items.map((item) => (
          <Base.Tab
            key={item.key}
            value={item.key}
            className="-mb-px h-11 shrink-0 border-b-2 border-transparent px-3 text-sm font-semibold text-muted transition-colors hover:text-ink focus-visible:outline-offset-[-3px] data-[active]:border-accent-ink data-[active]:text-ink"
          >
            {item.label}
          </Base.Tab>
        ))}
      </Base.List>
      {items.map((item) => (
        <Base.Panel key={item.key} value={item.key} className="pt-5">
          {item.content}
        </Base.Panel>
      ))}
    </Base.Root>
  );
}
