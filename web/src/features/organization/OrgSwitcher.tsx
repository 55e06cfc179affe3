import { plural, t } from '@lingui/core/macro';
import { Link, useNavigate } from '@tanstack/react-router';
import { Check, ChevronsUpDown, Mail, Plus } from 'lucide-react';
import { lazy, Suspense, useState } from 'react';
import { useMyInvites, useMyOrganizations } from '@/api/organizations';
import type { Me } from '@/api/types';
import { Menu, MenuItem, MenuLink, MenuSeparator } from '@/ui/Menu';
import { type Membership, useCurrentOrg } from './current';
import { OrgMark } from './OrgMark';
import { atLeast, roleName } from './roles';

const CreateOrganizationDialog = lazy(() =>
  import('@/features/organizer/CreateOrganization').then((m) => ({ default: m.CreateOrganizationDialog })),
);

/**
 * Where one is at work, and the way to one's other organizations. Who belongs
 * to none and is invited to none has no use for it; the account menu offers to
 * found one.
 */
export function OrgSwitcher({ me }: { me: Me }) {
  const [founding, setFounding] = useState(false);
  const navigate = useNavigate();
  const current = useCurrentOrg(me);
  const invites = useMyInvites(true).data?.items.length ?? 0;
  const known = useMyOrganizations(me.organizations.length > 0).data?.items;
  const shown = (org: Membership): Shown => {
    const looks = known?.find((o) => o.id === org.id);
    return { ...org, logo_url: looks?.logo_url, color: looks?.color };
  };
  if (!current && invites === 0) return null;
  return (
    <>
      <Menu
        label={t`Organizations`}
        trigger={<Trigger current={current ? shown(current) : undefined} invites={invites} />}
      >
        {me.organizations.length > 0 ? (
          <ul className="max-h-[min(24rem,50dvh)] w-72 overflow-y-auto" aria-label={t`Your organizations`}>
            {me.organizations.map((org) => (
              <li key={org.id}>
                <OrgLink org={shown(org)} current={org.id === current?.id} />
              </li>
            ))}
          </ul>
        ) : null}
        {me.organizations.length > 0 ? <MenuSeparator /> : null}
        <MenuLink icon={<Mail />} render={(props) => <Link to="/invites" {...props} />}>
          <span className="flex-1">{t`Your invitations`}</span>
          {invites > 0 ? <Count value={invites} /> : null}
        </MenuLink>
        <MenuItem icon={<Plus />} onSelect={() => setFounding(true)}>
          {t`Found an organization`}
        </MenuItem>
      </Menu>
      {founding ? (
        <Suspense>
          <CreateOrganizationDialog
            open={founding}
            onOpenChange={setFounding}
            onCreated={(id) => void navigate({ to: '/manage', search: { org: id } })}
          />
        </Suspense>
      ) : null}
    </>
  );
}

type Shown = Membership & { logo_url: string | null | undefined; color: string | null | undefined };

function Trigger({
  current,
  invites,
  ...rest
}: { current: Shown | undefined; invites: number } & React.ComponentProps<'button'>) {
  const waiting = plural(invites, { 0: '', one: '# invitation', other: '# invitations' });
  const role = current ? roleName(current.role) : '';
  const label = current ? t`Organization ${current.name}, ${role}` : t`Organizations`;
  return (
    <button
      type="button"
      {...rest}
      aria-label={[label, waiting].filter(Boolean).join(', ')}
      className="relative flex h-11 max-w-56 items-center gap-3 rounded-lg px-1 text-left transition-colors hover:bg-sunken md:pr-2"
    >
      {current ? (
        <OrgMark org={current} className="size-9" />
      ) : (
        <span className="grid size-9 place-items-center rounded-[28%] border border-dashed border-line-strong text-muted">
          <Mail aria-hidden="true" className="size-4" />
        </span>
      )}
      {current ? (
        <span className="hidden min-w-0 md:block">
          <span className="block truncate text-sm leading-tight font-semibold">{current.name}</span>
          <span className="block truncate text-xs text-muted">{role}</span>
        </span>
      ) : null}
      <ChevronsUpDown aria-hidden="true" className="hidden size-4 shrink-0 text-muted md:block" />
      {invites > 0 ? (
        <span
          aria-hidden="true"
          className="figures absolute -top-0.5 left-7 grid h-[1.15rem] min-w-[1.15rem] place-items-center rounded-full border-2 border-ground bg-bad-fill px-1 text-[0.65rem] leading-none font-bold text-on-accent"
        >
          {invites > 9 ? '9+' : invites}
        </span>
      ) : null}
    </button>
  );
}

// Who runs events goes to work; who doesn't goes to what is on there.
function OrgLink({ org, current }: { org: Shown; current: boolean }) {
  const content = (
    <>
      <span className="min-w-0 flex-1 py-1.5">
        <span className="block truncate font-semibold">{org.name}</span>
        <span className="block text-xs text-muted">{roleName(org.role)}</span>
      </span>
      {current ? <Check aria-hidden="true" className="size-4 shrink-0 text-accent-ink" /> : null}
    </>
  );
  return (
    <MenuLink
      icon={<OrgMark org={org} className="size-8!" />}
      render={(props) =>
        atLeast(org.role, 'organizer') ? (
          <Link
            to="/manage"
            search={{ org: org.id }}
            aria-current={current ? 'true' : undefined}
            {...props}
          />
        ) : (
          <Link
            to="/organizations/$orgId"
            params={{ orgId: org.id }}
            aria-current={current ? 'true' : undefined}
            {...props}
          />
        )
      }
    >
      {content}
    </MenuLink>
  );
}

function Count({ value }: { value: number }) {
  return (
    <span className="figures grid h-5 min-w-5 place-items-center rounded-full bg-accent-soft px-1.5 text-xs font-bold text-accent-ink">
      {value}
    </span>
  );
}
