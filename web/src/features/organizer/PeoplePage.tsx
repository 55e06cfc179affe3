import { t } from '@lingui/core/macro';
import { getRouteApi } from '@tanstack/react-router';
import type { Me } from '@/api/types';
import { useTitle } from '@/app/title';
import type { Membership } from '@/features/organization/current';
import { InOrganization } from '@/features/organization/InOrganization';
import { atLeast, ROLES, roleExplained, roleName } from '@/features/organization/roles';
import { Badge } from '@/ui/Badge';
import { Tabs } from '@/ui/Tabs';
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
  const members = <MemberList me={me} org={org} />;
  return (
    <OrgFrame org={org} section="people" narrow>
      {atLeast(org.role, 'orgAdmin') ? (
        <Tabs
          label={t`People`}
          value={show ?? 'members'}
          onChange={(key) =>
            void navigate({
              search: key === 'invitations' ? { show: key } : {},
              replace: true,
              resetScroll: false,
            })
          }
          items={[
            { key: 'members', label: t`Members`, content: members },
            { key: 'invitations', label: t`Invitations`, content: <InvitationsTab orgId={org.id} /> },
          ]}
        />
      ) : (
        members
      )}
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
