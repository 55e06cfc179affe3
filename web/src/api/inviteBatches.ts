import type { Role } from './types';

/** The most addresses that the server takes in one call. */
const MAX_IN_CALL = 200;

export interface InviteBatch {
  readonly role: Role;
  /** Places in the whole list. */
  readonly at: readonly number[];
}

/** Parts a list into calls: each is of one role and no longer than the server takes. */
export function inviteBatches(list: readonly { role: Role }[]): InviteBatch[] {
  return [...new Set(list.map(({ role }) => role))].flatMap((role) => {
    const at = list.flatMap((line, i) => (line.role === role ? [i] : []));
    const calls = Math.ceil(at.length / MAX_IN_CALL);
    return Array.from({ length: calls }, (_, n) => ({
      role,
      at: at.slice(n * MAX_IN_CALL, (n + 1) * MAX_IN_CALL),
    }));
  });
}
