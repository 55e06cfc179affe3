import { Combobox } from '@base-ui/react/combobox';
import { t } from '@lingui/core/macro';
import { X } from 'lucide-react';
import { useState } from 'react';
import { useMembers } from '@/api/organizations';
import type { Member } from '@/api/types';
import { cx } from '@/ui/classes';
import { type ControlProps, Input } from '@/ui/Field';
import { type Actor, offeredActors } from './actors';
import { usePaused } from './usePaused';

const TYPING_PAUSE_MS = 250;
const MAX_QUERY = 100;

/** Finds by name who did something: among the members, and among who is in the entries shown. */
export function ActorField({
  control,
  orgId,
  actorId,
  seen,
  onChange,
}: {
  control: ControlProps;
  orgId: string;
  actorId: string | undefined;
  /** Who did what is shown; some of them are members no longer. */
  seen: readonly Actor[];
  onChange: (actorId: string | undefined) => void;
}) {
  const [typed, setTyped] = useState<string | null>(null);
  const q = usePaused((typed ?? '').trim(), TYPING_PAUSE_MS);
  const members = useMembers(orgId, { q: q || undefined });
  const found = members.data?.pages.flatMap((page) => page.items) ?? [];
  const offered = offeredActors(found.map(actorOf), seen, q);
  const [picked, setPicked] = useState<Actor | null>(null);
  const chosen = actorId ? chosenActor(actorId, [...(picked ? [picked] : []), ...offered, ...seen]) : null;
  return (
    <Combobox.Root<Actor>
      items={offered}
      filter={null}
      value={chosen}
      onValueChange={(actor) => {
        setPicked(actor);
        setTyped(null);
        onChange(actor?.id);
      }}
      inputValue={typed ?? chosen?.name ?? ''}
      onInputValueChange={(text, { reason }) => {
        if (reason === 'input-change') setTyped(text);
      }}
      onOpenChange={(open) => {
        if (!open) setTyped(null);
      }}
      itemToStringLabel={(actor) => actor.name}
      isItemEqualToValue={(a, b) => a.id === b.id}
    >
      <span className="relative block">
        <Combobox.Input
          {...control}
          placeholder={t`Anybody`}
          maxLength={MAX_QUERY}
          render={<Input className="pr-10" />}
        />
        <Combobox.Clear
          aria-label={t`Anybody again`}
          className="absolute inset-y-0 right-0 grid w-10 place-items-center rounded-md text-muted hover:text-ink"
        >
          <X aria-hidden="true" className="size-4" />
        </Combobox.Clear>
      </span>
      <Combobox.Portal>
        <Combobox.Positioner sideOffset={6} className="z-40">
          <Combobox.Popup className="floating max-h-80 w-(--anchor-width) overflow-y-auto p-1.5">
            <Combobox.Empty className="px-2.5 py-2 text-sm text-muted empty:hidden">
              {members.isFetching ? t`Searching…` : t`Nobody of that name.`}
            </Combobox.Empty>
            <Combobox.List className={cx(members.isPlaceholderData && 'opacity-60')}>
              {(actor: Actor) => (
                <Combobox.Item
                  key={actor.id}
                  value={actor}
                  className="flex min-h-10 flex-col justify-center rounded-sm px-2.5 py-1 text-sm select-none data-highlighted:bg-sunken data-selected:font-semibold"
                >
                  <bdi className="truncate">{actor.name}</bdi>
                  {actor.email ? (
                    <span className="truncate text-xs font-normal text-muted">{actor.email}</span>
                  ) : null}
                </Combobox.Item>
              )}
            </Combobox.List>
          </Combobox.Popup>
        </Combobox.Positioner>
      </Combobox.Portal>
    </Combobox.Root>
  );
}

function actorOf(member: Member): Actor {
  return { id: member.user_id, name: member.name || member.email || t`Somebody`, email: member.email };
}

function chosenActor(id: string, known: readonly Actor[]): Actor {
  return known.find((actor) => actor.id === id) ?? { id, name: t`Somebody who is no member`, email: null };
}
