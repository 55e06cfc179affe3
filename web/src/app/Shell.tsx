import { t } from '@lingui/core/macro';
import { Link, Outlet, useRouterState } from '@tanstack/react-router';
import { Bell as BellIcon, CalendarCog, Compass, LogIn, Ticket, WifiOff } from 'lucide-react';
import { lazy, type ReactNode, Suspense, useEffect, useRef, useState } from 'react';
import { signInUrl, useMeQuery } from '@/api/me';
import { useRecentNotifications } from '@/api/notifications';
import type { Me } from '@/api/types';
import { useCutOff, useRefetchAfterReconnect } from '@/realtime/hooks';
import { buttonClass } from '@/ui/Button';
import { cx } from '@/ui/classes';
import { Skeleton } from '@/ui/Skeleton';
import { Mark } from './Mark';
import { usePersonalNews } from './news';
import { PendingScreen } from './PendingScreen';

// Menus and popovers come right after the first screen, not with it.
const AccountMenu = lazy(() =>
  import('@/features/account/AccountMenu').then((m) => ({ default: m.AccountMenu })),
);
const MembershipNews = lazy(() =>
  import('@/features/notifications/MembershipNews').then((m) => ({ default: m.MembershipNews })),
);
const OrgSwitcher = lazy(() =>
  import('@/features/organization/OrgSwitcher').then((m) => ({ default: m.OrgSwitcher })),
);
const Bell = lazy(() => import('@/features/notifications/Bell').then((m) => ({ default: m.Bell })));

/** The frame around every screen: bar, content, the phone's navigation. */
export function Shell() {
  const { data: me, isPending } = useMeQuery();
  usePersonalNews(me?.id);
  useRefetchAfterReconnect();
  return (
    <div className="flex min-h-dvh flex-col pb-[calc(4.25rem+env(safe-area-inset-bottom))] md:pb-0">
      <a
        href="#content"
        className="floating fixed top-2 left-2 z-50 -translate-y-20 px-4 py-2 text-sm font-semibold focus:translate-y-0"
      >
        {t`Skip to content`}
      </a>
      <TopBar me={me} pending={isPending} />
      <OfflineBar />
      <FocusedMain>
        <Suspense fallback={<PendingScreen />}>
          <Outlet />
        </Suspense>
      </FocusedMain>
      <Footer />
      <BottomBar me={me} />
    </div>
  );
}

// After a change of screen the focus would stay on a link that is gone; a
// reader would hear nothing. The content takes it instead.
function FocusedMain({ children }: { children: ReactNode }) {
  const path = useRouterState({ select: (s) => s.resolvedLocation?.pathname });
  const main = useRef<HTMLElement>(null);
  const first = useRef(path);
  useEffect(() => {
    if (first.current !== undefined && first.current !== path) main.current?.focus({ preventScroll: true });
    first.current = path;
  }, [path]);
  return (
    <main id="content" ref={main} tabIndex={-1} className="flex-1 focus:outline-none">
      {children}
    </main>
  );
}

const NAV_LINK = 'flex h-9 items-center rounded-full px-3.5 text-sm font-semibold transition-colors';
const nav = {
  activeProps: { className: `${NAV_LINK} bg-sunken text-ink` },
  inactiveProps: { className: `${NAV_LINK} text-muted hover:text-ink` },
};

function TopBar({ me, pending }: { me: Me | null | undefined; pending: boolean }) {
  const [first, setFirst] = useState(me);
  if (me && first?.id !== me.id) setFirst(me);
  return (
    <header className="sticky top-0 z-30 border-b border-line/70 bg-ground/85 backdrop-blur-md">
      <div className="page flex h-16 items-center gap-2">
        <Link to="/" className="mr-4 flex items-center gap-2.5 rounded-md text-lg font-bold tracking-tight">
          <Mark />
          Happening
        </Link>
        <nav aria-label={t`Main`} className="hidden items-center gap-1 md:flex">
          <Link to="/" {...nav} activeOptions={{ exact: true, includeSearch: false }}>{t`Discover`}</Link>
          {me ? (
            <>
              <Link to="/bookings" {...nav}>{t`My bookings`}</Link>
              <Link to="/manage" {...nav}>{t`Organize`}</Link>
            </>
          ) : null}
        </nav>
        <div className="ml-auto flex items-center gap-1">
          <Suspense fallback={<Skeleton className="mx-1 size-9 rounded-full!" />}>
            {me ? <MembershipNews me={me} first={first ?? me} /> : null}
            {me ? <OrgSwitcher me={me} /> : null}
            {me ? <Bell /> : null}
            {pending ? null : <AccountMenu me={me ?? null} />}
          </Suspense>
          {pending ? <Skeleton className="ml-2 size-9 rounded-full!" /> : null}
          {me === null ? (
            <a href={signInUrl()} className={buttonClass('primary', 'sm', 'ml-1')}>
              {t`Sign in`}
            </a>
          ) : null}
        </div>
      </div>
    </header>
  );
}

function BottomBar({ me }: { me: Me | null | undefined }) {
  const { data } = useRecentNotifications(Boolean(me));
  const unread = data?.unread_count ?? 0;
  return (
    <nav
      aria-label={t`Main, on a phone`}
      className="fixed inset-x-0 bottom-0 z-30 grid auto-cols-fr grid-flow-col border-t border-line bg-surface/95 pb-[env(safe-area-inset-bottom)] backdrop-blur-md md:hidden"
    >
      <BottomLink to="/" exact label={t`Discover`} icon={<Compass />} />
      {me ? (
        <>
          <BottomLink to="/bookings" label={t`Bookings`} icon={<Ticket />} />
          <BottomLink to="/manage" label={t`Organize`} icon={<CalendarCog />} />
          <BottomLink to="/notifications" label={t`News`} icon={<BellIcon />} dot={unread > 0} />
        </>
      ) : (
        <a href={signInUrl()} className={BOTTOM_LINK}>
          <LogIn aria-hidden="true" />
          {t`Sign in`}
        </a>
      )}
    </nav>
  );
}

const BOTTOM_LINK =
  'relative flex h-[4.25rem] flex-col items-center justify-center gap-1 text-xs font-semibold text-muted focus-visible:outline-offset-[-4px] [&>svg]:size-[1.35rem]';

function BottomLink({
  to,
  label,
  icon,
  exact,
  dot,
}: {
  to: '/' | '/bookings' | '/manage' | '/notifications';
  label: string;
  icon: ReactNode;
  exact?: boolean;
  dot?: boolean;
}) {
  return (
    <Link
      to={to}
      activeOptions={{ exact: exact ?? false, includeSearch: false }}
      className={BOTTOM_LINK}
      activeProps={{ className: cx(BOTTOM_LINK, 'text-accent-ink!') }}
    >
      {icon}
      {label}
      {dot ? (
        <span className="absolute top-3 left-[calc(50%+0.5rem)] size-2.5 rounded-full border-2 border-surface bg-bad-fill">
          <span className="sr-only">{t`unread`}</span>
        </span>
      ) : null}
    </Link>
  );
}

function OfflineBar() {
  const cutOff = useCutOff();
  return (
    <div role="status">
      {cutOff ? (
        <p className="flex items-center justify-center gap-2 bg-warn-soft px-4 py-2 text-sm font-medium text-warn">
          <WifiOff aria-hidden="true" className="size-4" />
          {t`No live connection. What you see may be old; we keep trying.`}
        </p>
      ) : null}
    </div>
  );
}

function Footer() {
  return (
    <footer className="mt-20 border-t border-line/70 text-sm text-muted">
      <div className="page flex flex-wrap items-center justify-between gap-x-6 gap-y-2 py-6">
        <span>{t`Happening — good seats, fairly shared.`}</span>
        <a href="/api/docs" className="underline-offset-4 hover:text-ink hover:underline">
          {t`API`}
        </a>
      </div>
    </footer>
  );
}
