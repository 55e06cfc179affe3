// What somebody who is signed in on a page asks of the API with that session,
// where a test needs the outcome and not the screens.
import type { Page } from '@playwright/test';
import { type BookingBody, type EventBody, eventInput } from './demo.ts';

export async function ask<T = unknown>(page: Page, method: string, path: string, body?: unknown): Promise<T> {
  const response = await page.request.fetch(`/api${path}`, {
    method,
    ...(body ? { data: body } : {}),
  });
  const text = await response.text();
  if (!response.ok()) throw new Error(`${method} ${path}: ${response.status()} ${text}`);
  return (text ? JSON.parse(text) : undefined) as T;
}

/** Founds an organization and answers its id. */
export async function found(page: Page, name: string): Promise<string> {
  const { id } = await ask<{ id: string }>(page, 'POST', '/organizations', { name });
  return id;
}

export function publish(page: Page, orgId: string, name: string, totalSlots: number): Promise<EventBody> {
  return ask(page, 'POST', '/events', eventInput(orgId, name, totalSlots));
}

export function bookAs(page: Page, eventId: string, seats: number, numbers?: number[]): Promise<BookingBody> {
  return ask(page, 'POST', '/bookings', {
    event_id: eventId,
    seats,
    ...(numbers ? { seat_numbers: numbers } : {}),
  });
}
