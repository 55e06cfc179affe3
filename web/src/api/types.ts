// Names for the shapes that screens use, all taken from the generated types by
// path and never copied, so that a rename in the document breaks the build here.
import type { paths } from './schema.gen';

type Json<R> = R extends { content: { 'application/json': infer B } } ? B : never;
type Answer<P extends keyof paths, M extends 'get' | 'post' | 'put', S extends number> = paths[P] extends {
  [K in M]: { responses: { [K in S]: infer R } };
}
  ? Json<R>
  : never;
type Item<L> = L extends { items: infer I }
  ? NonNullable<I> extends readonly (infer E)[]
    ? E
    : never
  : never;

export type Me = Answer<'/users/me', 'get', 200>;
export type Role = NonNullable<Me['organizations']>[number]['role'];

export type Event = Answer<'/events/{id}', 'get', 200>;
export type EventStatus = Event['status'];
export type SeatStates = Extract<Answer<'/events/{id}/seats', 'get', 200>, { version: string }>;
export type Holds = Answer<'/events/{id}/holds', 'get', 200>;
export type HoldsResult = Answer<'/events/{id}/holds', 'put', 200>;

export type Booking = Answer<'/bookings/{id}', 'get', 200>;
export type BookingEvent = NonNullable<Booking['event']>;
export type HistoryEntry = Item<Answer<'/bookings/{id}/history', 'get', 200>>;

export type Organization = Answer<'/organizations/{id}', 'get', 200>;
export type OrganizationChange = Body<'/organizations/{id}', 'put'>;
export type Member = Item<Answer<'/organizations/{id}/members', 'get', 200>>;
export type InviteOutcome = Answer<'/org-invites/batch', 'post', 200>['results'][number];
export type AuditEntry = Item<Answer<'/organizations/{id}/audit', 'get', 200>>;
export type Invite = Item<Answer<'/org-invites', 'get', 200>>;

/** An invitation as whoever opens its mailed link sees it. */
export type LinkedInvite = Answer<'/org-invites/by-token', 'get', 200>;

export type Notification = Item<Answer<'/notifications', 'get', 200>>;

type Body<P extends keyof paths, M extends 'post' | 'put'> = paths[P] extends {
  [K in M]: { requestBody?: infer R };
}
  ? Json<NonNullable<R>>
  : never;
export type EventInput = Body<'/events', 'post'>;
export type EventChange = Body<'/events/{id}', 'put'>;
