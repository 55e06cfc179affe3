import { t } from '@lingui/core/macro';
import { Link } from '@tanstack/react-router';
import { CalendarDays, ExternalLink, History, Settings2, UsersRound } from 'lucide-react';
import type { ReactNode } from 'react';
import { useOrganization } from '@/api/organizations';
import type { Membership } from '@/features/organization/current';
import { OrgMark } from '@/features/organization/OrgMark';
import { roleName, type Section, sectionsFor } from '@/features/organization/roles';
import { Badge } from '@/ui/Badge';
import { cx } from '@/ui/classes';
import { Notice } from '@/ui/Notice';

/** What all parts of running an organization have in common: whose they are, and the ways between them. */
export function OrgFrame({
  org,
  section,
  actions,
  narrow,
  children,
}: {
  org: Membership;
  section: Section;
  actions?: ReactNode;
  /** Forms and lists of people are read better in a narrower column. */
  narrow?: boolean;
  children: ReactNode;
}) {
  const detail = useOrganization(org.id).data;
  return (
    <div className="page">
      <header className="flex flex-wrap items-center gap-x-4 gap-y-4 pt-7 pb-5 sm:pt-9">
        <OrgMark org={{ ...org, logo_url: detail?.logo_url, color: detail?.color }} className="size-12" />
        <div className="min-w-0 flex-1 basis-52">
          <h1 className="text-xl font-bold wrap-anywhere sm:text-2xl">{org.name}</h1>
          <p className="mt-1 flex flex-wrap items-center gap-x-3 gap-y-1 text-sm text-muted">
            <Badge tone={org.role === 'user' ? 'neutral' : 'accent'}>
              <span className="sr-only">{t`Your role:`} </span>
              {roleName(org.role)}
            </Badge>
            <Link
              to="/organizations/$orgId"
              params={{ orgId: org.id }}
              className="inline-flex items-center gap-1.5 rounded-sm font-semibold underline-offset-4 hover:text-ink hover:underline"
            >
              <ExternalLink aria-hidden="true" className="size-3.5" />
              {t`Its public page`}
            </Link>
          </p>
        </div>
        {actions ? <div className="flex flex-wrap gap-2">{actions}</div> : null}
      </header>
      <Sections org={org} current={section} />
      {detail?.suspended ? (
        <Notice tone="warn" className="mt-5" title={t`This organization is suspended`}>
          {t`Until the operator opens it again nobody can book or choose seats, be invited, accept an invitation or create an event here. Settings can be changed, members removed and bookings cancelled as ever. Visitors see only its name.`}
        </Notice>
      ) : null}
      <div className={cx('pt-6', narrow && 'max-w-3xl')}>{children}</div>
    </div>
  );
}

const ICONS = { events: CalendarDays, people: UsersRound, settings: Settings2, record: History };
const PLACES = {
  events: '/manage',
  people: '/manage/$orgId/people',
  settings: '/manage/$orgId/settings',
  record: '/manage/$orgId/audit',
} as const;

function sectionName(section: Section): string {
  switch (section) {
    case 'events':
      return t`Events`;
    case 'people':
      return t`People`;
    case 'settings':
      return t`Settings`;
    case 'record':
      return t`Record`;
  }
}

function Sections({ org, current }: { org: Membership; current: Section }) {
  const sections = sectionsFor(org.role);
  if (sections.length < 2) return null;
  return (
    <nav aria-label={t`Organization`} className="-mx-4 overflow-x-auto px-4 sm:mx-0 sm:px-0">
      <ul className="flex min-w-max gap-1 border-b border-line">
        {sections.map((section) => {
          const Icon = ICONS[section];
          const on = section === current;
          const place =
            section === 'events' ? { search: { org: org.id } } : { params: { orgId: org.id } as const };
          return (
            <li key={section}>
              <Link
                to={PLACES[section]}
                {...place}
                aria-current={on ? 'page' : undefined}
                className={cx(
                  '-mb-px flex h-11 items-center gap-2 border-b-2 px-3 text-sm font-semibold transition-colors focus-visible:outline-offset-[-3px]',
                  on ? 'border-accent-ink text-ink' : 'border-transparent text-muted hover:text-ink',
                )}
              >
                <Icon aria-hidden="true" className="size-4 max-sm:hidden" />
                {sectionName(section)}
              </Link>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}
