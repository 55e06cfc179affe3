// What became of somebody's places in organizations between two answers.
import type { Me, Role } from '@/api/types';

export type Membership = NonNullable<Me['organizations']>[number];

export type MembershipChange =
  | { kind: 'joined'; org: Membership }
  | { kind: 'left'; org: Membership }
  | { kind: 'role'; org: Membership; before: Role };

/** The changes from one list of places to another, in the order of the lists. */
export function membershipChanges(
  before: readonly Membership[],
  after: readonly Membership[],
): MembershipChange[] {
  const changes: MembershipChange[] = [];
  for (const org of before) {
    const now = after.find((other) => other.id === org.id);
    if (!now) changes.push({ kind: 'left', org });
    else if (now.role !== org.role) changes.push({ kind: 'role', org: now, before: org.role });
  }
  for (const org of after) {
    if (!before.some((other) => other.id === org.id)) changes.push({ kind: 'joined', org });
  }
  return changes;
}
