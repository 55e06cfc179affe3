// Every address of the client. Discover comes with the first load; the other
// screens are fetched when one is about to go there.
import { createRootRoute, createRoute, createRouter, lazyRouteComponent } from '@tanstack/react-router';
import { Discover } from '@/features/discover/Discover';
import { readDiscoverSearch } from '@/features/discover/search';
import { ErrorScreen, NotFoundScreen } from './ErrorScreen';
import { PendingScreen } from './PendingScreen';
import { Shell } from './Shell';

const root = createRootRoute({ component: Shell, notFoundComponent: NotFoundScreen });

const discover = createRoute({
  getParentRoute: () => root,
  path: '/',
  component: Discover,
  validateSearch: readDiscoverSearch,
});

const event = createRoute({
  getParentRoute: () => root,
  path: '/events/$eventId',
  component: lazyRouteComponent(() => import('@/features/event/EventPage'), 'EventPage'),
});

const bookings = createRoute({
  getParentRoute: () => root,
  path: '/bookings',
  component: lazyRouteComponent(() => import('@/features/bookings/BookingsPage'), 'BookingsPage'),
});

const booking = createRoute({
  getParentRoute: () => root,
  path: '/bookings/$bookingId',
  component: lazyRouteComponent(() => import('@/features/bookings/BookingPage'), 'BookingPage'),
});

const notifications = createRoute({
  getParentRoute: () => root,
  path: '/notifications',
  component: lazyRouteComponent(
    () => import('@/features/notifications/NotificationsPage'),
    'NotificationsPage',
  ),
});

interface InvitesSearch {
  /** The secret of a mailed link. */
  token?: string;
}

function readInvitesSearch(search: Record<string, unknown>): InvitesSearch {
  return typeof search.token === 'string' && search.token !== '' ? { token: search.token } : {};
}

const invites = createRoute({
  getParentRoute: () => root,
  path: '/invites',
  component: lazyRouteComponent(() => import('@/features/notifications/InvitesPage'), 'InvitesPage'),
  validateSearch: readInvitesSearch,
});

const profile = createRoute({
  getParentRoute: () => root,
  path: '/profile/{-$section}',
  component: lazyRouteComponent(() => import('@/features/profile/ProfilePage'), 'ProfilePage'),
});

const goodbye = createRoute({
  getParentRoute: () => root,
  path: '/goodbye',
  component: lazyRouteComponent(() => import('@/features/profile/GoodbyePage'), 'GoodbyePage'),
});

interface ManageSearch {
  org?: string;
}

function readManageSearch(search: Record<string, unknown>): ManageSearch {
  return typeof search.org === 'string' ? { org: search.org } : {};
}

const manage = createRoute({
  getParentRoute: () => root,
  path: '/manage',
  component: lazyRouteComponent(() => import('@/features/organizer/ManagePage'), 'ManagePage'),
  validateSearch: readManageSearch,
});

const createEvent = createRoute({
  getParentRoute: () => root,
  path: '/manage/new',
  component: lazyRouteComponent(() => import('@/features/organizer/NewEventPage'), 'NewEventPage'),
  validateSearch: readManageSearch,
});

const manageEvent = createRoute({
  getParentRoute: () => root,
  path: '/manage/events/$eventId',
  component: lazyRouteComponent(() => import('@/features/organizer/ManageEventPage'), 'ManageEventPage'),
});

const editEvent = createRoute({
  getParentRoute: () => root,
  path: '/manage/events/$eventId/edit',
  component: lazyRouteComponent(() => import('@/features/organizer/EditEventPage'), 'EditEventPage'),
});

const seatsOfEvent = createRoute({
  getParentRoute: () => root,
  path: '/manage/events/$eventId/seats',
  component: lazyRouteComponent(() => import('@/features/house/HousePage'), 'HousePage'),
});

interface PeopleSearch {
  show?: 'invitations';
}

const people = createRoute({
  getParentRoute: () => root,
  path: '/manage/$orgId/people',
  component: lazyRouteComponent(() => import('@/features/organizer/PeoplePage'), 'PeoplePage'),
  validateSearch: (search: Record<string, unknown>): PeopleSearch =>
    search.show === 'invitations' ? { show: search.show } : {},
});

const settings = createRoute({
  getParentRoute: () => root,
  path: '/manage/$orgId/settings',
  component: lazyRouteComponent(() => import('@/features/organizer/SettingsPage'), 'SettingsPage'),
});

type AuditSearch = Partial<Record<'action' | 'actor' | 'subject' | 'from' | 'to', string>>;

const audit = createRoute({
  getParentRoute: () => root,
  path: '/manage/$orgId/audit',
  component: lazyRouteComponent(() => import('@/features/organizer/AuditPage'), 'AuditPage'),
  // The screen reads it, which keeps what only it needs out of the first load.
  validateSearch: (search: Record<string, unknown>): AuditSearch => search,
});

const organization = createRoute({
  getParentRoute: () => root,
  path: '/organizations/$orgId',
  component: lazyRouteComponent(() => import('@/features/organization/OrgPage'), 'OrgPage'),
});

export const router = createRouter({
  routeTree: root.addChildren([
    discover,
    event,
    bookings,
    booking,
    notifications,
    invites,
    profile,
    goodbye,
    manage,
    createEvent,
    manageEvent,
    editEvent,
    seatsOfEvent,
    people,
    settings,
    audit,
    organization,
  ]),
  defaultPreload: 'intent',
  defaultErrorComponent: ErrorScreen,
  defaultPendingComponent: PendingScreen,
  defaultNotFoundComponent: NotFoundScreen,
  scrollRestoration: true,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
