// Who can be looked for in the record: members whom the server finds, and who
// did what is on the screen without being a member any more.

export interface Actor {
  readonly id: string;
  readonly name: string;
  readonly email: string | null;
}

/** Members first, as found; then who else was seen and bears such a name. */
export function offeredActors(found: readonly Actor[], seen: readonly Actor[], q: string): Actor[] {
  const known = new Set(found.map((actor) => actor.id));
  const sought = q.toLocaleLowerCase();
  const others: Actor[] = [];
  for (const actor of seen) {
    if (known.has(actor.id) || !actor.name.toLocaleLowerCase().includes(sought)) continue;
    known.add(actor.id);
    others.push(actor);
  }
  return [...found, ...others];
}
