import { t } from '@lingui/core/macro';
import { Search, UserX } from 'lucide-react';
import { useDeferredValue, useState } from 'react';
import { useMembers } from '@/api/organizations';
import type { Me, Role } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import type { Membership } from '@/features/organization/current';
import { atLeast, isRole, ROLES, roleName } from '@/features/organization/roles';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { cx } from '@/ui/classes';
import { EmptyState } from '@/ui/EmptyState';
import { Input, Select } from '@/ui/Field';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { useRowFocus } from '@/ui/useRowFocus';
import { MemberRow } from './MemberRow';
import { usePaused } from './usePaused';

const TYPING_PAUSE_MS = 250;
const MAX_QUERY = 100;

/** The members, searched and filtered by the server, a page at a time. */
export function MemberList({ me, org }: { me: Me; org: Membership }) {
  const [typed, setTyped] = useState('');
  const [role, setRole] = useState<Role | ''>('');
  const q = usePaused(typed.trim(), TYPING_PAUSE_MS);
  const list = useMembers(org.id, { q: q || undefined, role: role || undefined });
  const members = list.data?.pages.flatMap((page) => page.items) ?? [];
  // Rows of the last answer stay, dimmed, until the next one is there.
  const waiting = useDeferredValue(list.isPlaceholderData);
  const focus = useRowFocus(members.map(({ user_id }) => user_id));
  const addresses = atLeast(org.role, 'organizer');
  const narrowed = q !== '' || role !== '';
  return (
    <>
      <search className="grid gap-2.5 sm:grid-cols-[1fr_12rem]">
        <span className="relative">
          <Search
            aria-hidden="true"
            className="pointer-events-none absolute top-1/2 left-3 size-4 -translate-y-1/2 text-muted"
          />
          <Input
            type="search"
            aria-label={t`Search members`}
            placeholder={addresses ? t`Name or e-mail address` : t`Name`}
            value={typed}
            maxLength={MAX_QUERY}
            className="pl-9"
            onChange={(e) => setTyped(e.target.value)}
          />
        </span>
        <Select
          aria-label={t`Role`}
          value={role}
          onChange={(e) => setRole(isRole(e.target.value) ? e.target.value : '')}
        >
          <option value="">{t`All roles`}</option>
          {ROLES.map((one) => (
            <option key={one} value={one}>
              {roleName(one)}
            </option>
          ))}
        </Select>
      </search>
      <section
        ref={focus.place}
        aria-label={t`Members found`}
        tabIndex={-1}
        className="mt-4 focus:outline-none"
      >
        {list.isPending ? (
          <Loading className="space-y-2">
            <Skeleton className="h-[4.5rem] rounded-xl" />
            <Skeleton className="h-[4.5rem] rounded-xl" />
            <Skeleton className="h-[4.5rem] rounded-xl" />
          </Loading>
        ) : list.isError && members.length === 0 ? (
          <Failure error={list.error} onRetry={() => void list.refetch()} />
        ) : members.length === 0 ? (
          <EmptyState icon={UserX} title={t`Nobody is found`}>
            {narrowed ? t`Try the beginning of a name, or another role.` : null}
          </EmptyState>
        ) : (
          <Card className={cx('transition-opacity', waiting && 'opacity-60')}>
            <ul className="divide-y divide-line" aria-label={t`Members`} aria-busy={list.isPlaceholderData}>
              {members.map((member) => (
                <MemberRow
                  key={member.user_id}
                  member={member}
                  me={me}
                  org={org}
                  onRemove={() => focus.leaving(member.user_id)}
                />
              ))}
            </ul>
          </Card>
        )}
        {list.hasNextPage ? (
          <div className="mt-5 flex justify-center">
            <Button look="secondary" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
              {t`Show more`}
            </Button>
          </div>
        ) : null}
      </section>
    </>
  );
}
