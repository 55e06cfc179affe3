import { t } from '@lingui/core/macro';
import { getRouteApi, Link } from '@tanstack/react-router';
import { BellRing, CircleUser, FolderDown, type LucideIcon, MonitorSmartphone } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Me } from '@/api/types';
import { NotFoundScreen } from '@/app/ErrorScreen';
import { useTitle } from '@/app/title';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { Avatar } from '@/ui/Avatar';
import { cx } from '@/ui/classes';
import { AccountSection } from './AccountSection';
import { DataSection } from './DataSection';
import { DevicesSection } from './DevicesSection';
import { NotificationsSection } from './NotificationsSection';

const route = getRouteApi('/profile/{-$section}');

interface Section {
  /** The end of its address; the first one has none. */
  path: string | undefined;
  name: string;
  icon: LucideIcon;
  screen: (me: Me) => ReactNode;
}

function sections(): Section[] {
  return [
    { path: undefined, name: t`You`, icon: CircleUser, screen: (me) => <AccountSection me={me} /> },
    {
      path: 'notifications',
      name: t`Notifications`,
      icon: BellRing,
      screen: (me) => <NotificationsSection me={me} />,
    },
    { path: 'devices', name: t`Devices`, icon: MonitorSmartphone, screen: () => <DevicesSection /> },
    { path: 'data', name: t`Your data`, icon: FolderDown, screen: (me) => <DataSection me={me} /> },
  ];
}

/** Everything about oneself, section by section, each with an address of its own. */
export function ProfilePage() {
  const { section } = route.useParams();
  const all = sections();
  const shown = all.find(({ path }) => path === section);
  if (!shown) return <NotFoundScreen />;
  return <RequireSignIn>{(me) => <Profile me={me} all={all} shown={shown} />}</RequireSignIn>;
}

function Profile({ me, all, shown }: { me: Me; all: Section[]; shown: Section }) {
  useTitle(shown.path ? shown.name : t`Your profile`);
  return (
    <div className="page max-w-5xl! pt-8 sm:pt-10">
      <header className="flex items-center gap-4 pb-6">
        <Avatar name={me.name || me.email} seed={me.id} className="size-14" />
        <div className="min-w-0">
          <h1 className="text-2xl font-bold wrap-anywhere">{me.name}</h1>
          <p className="text-sm wrap-anywhere text-muted">{me.email}</p>
        </div>
      </header>
      <div className="grid items-start gap-6 md:grid-cols-[13rem_minmax(0,1fr)] md:gap-10">
        <SectionNav all={all} />
        <div className="max-w-2xl min-w-0 space-y-5">{shown.screen(me)}</div>
      </div>
    </div>
  );
}

const NAV_LINK = cx(
  'flex h-11 shrink-0 items-center gap-2.5 rounded-md px-3 text-sm font-semibold whitespace-nowrap transition-colors',
  'focus-visible:outline-offset-[-2px] max-md:rounded-full [&>svg]:size-4.5 max-sm:[&>svg]:hidden',
);

// Beside the section on a desktop, a row on a phone.
function SectionNav({ all }: { all: Section[] }) {
  return (
    <nav
      aria-label={t`Profile`}
      className="-mx-4 overflow-x-auto px-4 py-1 md:sticky md:top-24 md:m-0 md:p-0"
    >
      <ul className="flex gap-1 md:flex-col">
        {all.map(({ path, name, icon: Icon }) => (
          <li key={name}>
            <Link
              to="/profile/{-$section}"
              params={{ section: path }}
              activeOptions={{ exact: true }}
              className={NAV_LINK}
              activeProps={{ className: 'bg-sunken text-ink' }}
              inactiveProps={{ className: 'text-muted hover:text-ink' }}
            >
              <Icon aria-hidden="true" />
              {name}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}
