import { t } from '@lingui/core/macro';
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef } from 'react';
import { keys } from '@/api/keys';
import type { Me } from '@/api/types';
import { justActed } from '@/app/news';
import { roleName } from '@/features/organization/roles';
import { toast } from '@/ui/toast';
import { type MembershipChange, membershipChanges } from './memberships';

/**
 * Shows nothing itself. When somebody's places in organizations have changed,
 * everything on the screen is asked for anew, since other things may be seen
 * and done now, and what others have changed is told. It is loaded after the
 * first screen, so it is given who that was drawn for.
 */
export function MembershipNews({ me, first }: { me: Me; first: Me }) {
  const cache = useQueryClient();
  const before = useRef(first);
  useEffect(() => {
    const known = before.current;
    before.current = me;
    if (known.id !== me.id) return;
    const changes = membershipChanges(known.organizations ?? [], me.organizations ?? []);
    if (changes.length === 0) return;
    void cache.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== keys.me[0] });
    if (!justActed(cache)) for (const change of changes) tell(change);
  }, [me, cache]);
  return null;
}

function tell({ kind, org }: MembershipChange): void {
  if (kind === 'left') {
    toast('info', t`You are no longer a member of ${org.name}`);
  } else if (kind === 'joined') {
    toast('info', t`You are a member of ${org.name} now`);
  } else {
    const role = roleName(org.role);
    toast('info', t`Your role in ${org.name} is now: ${role}`);
  }
}
