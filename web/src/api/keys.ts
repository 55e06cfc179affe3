// One factory for every query key, so that what is refetched after a change or
// a reconnect is named in one place.

import type { Booking, EventStatus, Role } from './types';

export interface EventFilter {
  readonly q?: string | undefined;
  readonly category?: string | undefined;
  readonly status?: EventStatus | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly org_id?: string | undefined;
}

export interface BookingFilter {
  readonly status?: Booking['status'];
  readonly event_id?: string;
}

export interface MemberFilter {
  readonly q?: string | undefined;
  readonly role?: Role | undefined;
}

export interface AuditFilter {
  readonly action?: string | undefined;
  readonly actor_id?: string | undefined;
  readonly subject_id?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

export const keys = {
  me: ['me'] as const,
  events: {
    all: ['events'] as const,
    list: (filter: EventFilter) => ['events', 'list', filter] as const,
    one: (id: string) => ['events', 'one', id] as const,
    seats: (id: string) => ['events', 'one', id, 'seats'] as const,
    holds: (id: string) => ['events', 'one', id, 'holds'] as const,
    bookings: (id: string, status: string) => ['events', 'one', id, 'bookings', status] as const,
    waitlist: (id: string) => ['events', 'one', id, 'waitlist'] as const,
    audit: (id: string) => ['events', 'one', id, 'audit'] as const,
  },
  houses: {
    // Not below the event: what is asked for again after each sale doesn't change the house.
    one: (eventId: string, revision: number) => ['houses', eventId, revision] as const,
  },
  bookings: {
    all: ['bookings'] as const,
    mine: (userId: string, filter: BookingFilter) => ['bookings', 'mine', userId, filter] as const,
    one: (id: string) => ['bookings', 'one', id] as const,
    history: (id: string) => ['bookings', 'one', id, 'history'] as const,
  },
  organizations: {
    all: ['organizations'] as const,
    mine: ['organizations', 'mine'] as const,
    of: (id: string) => ['organizations', id] as const,
    one: (id: string) => ['organizations', id, 'page'] as const,
    members: (id: string) => ['organizations', id, 'members'] as const,
    membersBy: (id: string, filter: MemberFilter) => ['organizations', id, 'members', filter] as const,
    invites: (id: string) => ['organizations', id, 'invites'] as const,
    audit: (id: string, filter: AuditFilter) => ['organizations', id, 'audit', filter] as const,
  },
  invites: ['invites'] as const,
  inviteByToken: (token: string) => ['invites', 'by-token', token] as const,
  notifications: {
    all: ['notifications'] as const,
    list: (unread: boolean) => ['notifications', 'list', unread] as const,
    recent: ['notifications', 'recent'] as const,
    preferences: ['preferences'] as const,
  },
  sessions: ['sessions'] as const,
  provider: ['provider'] as const,
};
