import type { Page } from '@playwright/test';
import { expect } from './fixtures.ts';
import { signIn } from './people.ts';
import type { Server } from './server.ts';

/** The demo's people that specs act as. */
export const ADMIN = 'admin@demo.test';
export const ORGANIZER = 'organizer@demo.test';
export const USER1 = 'user1@demo.test';
export const USER2 = 'user2@demo.test';
export const USER3 = 'user3@demo.test';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

export interface EventBody {
  id: string;
  org_id: string;
  name: string;
}

export interface BookingBody {
  id: string;
  status: string;
}

/** Creates an event of the demo's organization. */
export function demoEvent(
  server: Server,
  name: string,
  totalSlots: number,
  more: Record<string, unknown> = {},
): Promise<EventBody> {
  return createEvent(server, ORGANIZER, name, totalSlots, more);
}

/** Creates an event of the first organization of somebody. */
export async function createEvent(
  server: Server,
  organizer: string,
  name: string,
  totalSlots: number,
  more: Record<string, unknown> = {},
): Promise<EventBody> {
  const { items } = await server.call<{ items: { id: string }[] }>(organizer, 'GET', '/organizations');
  return server.call(organizer, 'POST', '/events', {
    ...eventInput(items[0]?.id, name, totalSlots),
    ...more,
  });
}

/** What an event of two hours, the day after tomorrow, is created with. */
export function eventInput(orgId: string | undefined, name: string, totalSlots: number) {
  const starts = Date.now() + 2 * DAY_MS;
  return {
    org_id: orgId,
    name,
    description: '',
    category: 'meetup',
    venue: 'Room 1',
    starts_at: new Date(starts).toISOString(),
    ends_at: new Date(starts + 2 * HOUR_MS).toISOString(),
    time_zone: 'Europe/Berlin',
    total_slots: totalSlots,
  };
}

/** Books over the API, as somebody else's browser would at the same time. */
export function book(
  server: Server,
  email: string,
  event: EventBody,
  seats: number,
  numbers?: number[],
): Promise<BookingBody> {
  return server.call(email, 'POST', '/bookings', {
    event_id: event.id,
    seats,
    ...(numbers ? { seat_numbers: numbers } : {}),
  });
}

/** Holds seats over the API, in place of those that the person held before. */
export async function hold(
  server: Server,
  email: string,
  event: EventBody,
  numbers: number[],
): Promise<void> {
  const { granted } = await server.call<{ granted: number[] }>(email, 'PUT', `/events/${event.id}/holds`, {
    seat_numbers: numbers,
  });
  expect(granted).toEqual(numbers);
}

/** Signs one of the demo's people in and opens a path. */
export async function signInDemo(page: Page, server: Server, email: string, path = '/'): Promise<void> {
  await signIn(page, { email, password: await server.demoPassword() }, path);
}
