import { t } from '@lingui/core/macro';
import { getRouteApi } from '@tanstack/react-router';
import type { Me } from '@/api/types';
import { useTitle } from '@/app/title';
import type { Membership } from '@/features/organization/current';
import { InOrganization } from '@/features/organization/InOrganization';
import { atLeast, ROLES, roleExplained, roleName } from '@/features/organization/roles';
import { Badge } from '@/ui/Badge';
import { Segmented } from '@/ui/Segmented';
import { InvitationsTab } from './InvitationsTab';
import { MemberList } from './MemberList';
import { OrgFrame } from './OrgFrame';

const route = getRouteApi('/manage/$orgId/people');

/** Who belongs to an organization, in which role, and inviting more. */
export function PeoplePage() {
  const { orgId } = route.useParams();
  return (
    <InOrganization orgId={orgId} section="people">
      {(me, org) => <People key={orgId} me={me} org={org} />}
    </InOrganization>
  );
}

function People({ me, org }: { me: Me; org: Membership }) {
  useTitle(t`People of ${org.name}`);
  const { show } = route.useSearch();
  const navigate = route.useNavigate();
  const shown = atLeast(org.role, 'orgAdmin') ? (show ?? 'members') : 'members';
  return (
    <OrgFrame org={org} section="people" narrow>
      {atLeast(org.role, 'orgAdmin') ? (
        <Segmented
          label={t`Members or invitations`}
          className="mb-5"
          value={shown}
          onChange={(next) =>
            void navigate({
              search: next === 'invitations' ? { show: next } : {},
              replace: true,
              resetScroll: false,
            })
          }
          options={[
            { value: 'members', label: t`Members` },
            { value: 'invitations', label: t`Invitations` },
          ]}
        />
      ) : null}
      {shown === 'members' ? <MemberList me={me} org={org} /> : <InvitationsTab orgId={org.id} />}
      <Roles />
    </OrgFrame>
  );
}

function Roles() {
  return (
    <section className="mt-10" aria-labelledby="roles">
      <h2 id="roles" className="text-sm font-semibold text-muted">
        {t`What each role may do`}
      </h2>
      <dl className="mt-3 grid gap-x-4 gap-y-2.5 text-sm sm:grid-cols-[8rem_1fr]">
        {ROLES.map((role) => (
          <div key={role} className="contents">
            <dt className="max-sm:mt-1.5">
              <Badge tone={role === 'user' ? 'neutral' : 'accent'}>{roleName(role)}</Badge>
            </dt>
            <dd className="self-center text-muted">{roleExplained(role)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
