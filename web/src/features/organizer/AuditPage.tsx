import { t } from '@lingui/core/macro';
import { getRouteApi } from '@tanstack/react-router';
import { Braces, Download, Sheet } from 'lucide-react';
import { auditExportUrl, useOrgAudit } from '@/api/audit';
import { useTitle } from '@/app/title';
import type { Membership } from '@/features/organization/current';
import { InOrganization } from '@/features/organization/InOrganization';
import { Button } from '@/ui/Button';
import { Menu, MenuLink } from '@/ui/Menu';
import { AuditFilters } from './AuditFilters';
import { AuditList } from './AuditList';
import { type AuditSearch, auditFilter, changedSearch, readAuditSearch } from './auditSearch';
import { actorName } from './auditWords';
import { OrgFrame } from './OrgFrame';

const route = getRouteApi('/manage/$orgId/audit');

/** Who did what in an organization: read, filtered and taken along. */
export function AuditPage() {
  const { orgId } = route.useParams();
  return (
    <InOrganization orgId={orgId} section="record">
      {(_, org) => <Audit key={orgId} org={org} />}
    </InOrganization>
  );
}

function Audit({ org }: { org: Membership }) {
  useTitle(t`Record of ${org.name}`);
  const search = readAuditSearch(route.useSearch());
  const navigate = route.useNavigate();
  const filter = auditFilter(search);
  const list = useOrgAudit(org.id, filter);
  const change = (part: { [K in keyof AuditSearch]?: string | undefined }) =>
    void navigate({ search: changedSearch(search, part), replace: true, resetScroll: false });
  const entries = list.data?.pages.flatMap((page) => page.items) ?? [];
  const about = entries.find((entry) => entry.subject_id === search.subject)?.subject?.label;
  const seen = entries.flatMap((entry) =>
    entry.actor ? [{ id: entry.actor.id, name: actorName(entry), email: null }] : [],
  );
  return (
    <OrgFrame
      org={org}
      section="record"
      actions={
        <Menu
          label={t`Export`}
          trigger={
            <Button look="secondary" icon={<Download aria-hidden="true" className="size-4" />}>
              {t`Export`}
            </Button>
          }
        >
          <p className="max-w-60 px-2.5 pt-2 pb-1.5 text-xs text-muted">
            {t`Everything that the filters show, not only what is loaded.`}
          </p>
          <MenuLink
            icon={<Sheet />}
            render={({ children, ...props }) => (
              <a {...props} href={auditExportUrl(org.id, filter, 'csv')} download>
                {children}
              </a>
            )}
          >
            {t`CSV, for spreadsheets`}
          </MenuLink>
          <MenuLink
            icon={<Braces />}
            render={({ children, ...props }) => (
              <a {...props} href={auditExportUrl(org.id, filter, 'json')} download>
                {children}
              </a>
            )}
          >
            {t`JSON, for programs`}
          </MenuLink>
        </Menu>
      }
    >
      <AuditFilters orgId={org.id} search={search} about={about} seen={seen} onChange={change} />
      <AuditList
        list={list}
        narrowed={Object.keys(search).length > 0}
        onClear={() => void navigate({ search: {}, replace: true, resetScroll: false })}
        onOnly={change}
      />
    </OrgFrame>
  );
}
