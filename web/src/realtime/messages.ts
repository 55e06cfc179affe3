// What the realtime channels say, checked at the door: whatever is not one of
// these shapes is dropped, since the server's truth can always be fetched.

export interface SeatDelta {
  readonly version: string;
  /** Absolute states, [seat number, state]; none in a heartbeat. */
  readonly seats: readonly (readonly [number, number])[];
}

export type EventMessage =
  | { kind: 'seats'; delta: SeatDelta }
  | { kind: 'viewers'; viewers: number }
  | { kind: 'event' }
  /** The store of holds and live updates went away or is back. */
  | { kind: 'live'; live: boolean }
  | { kind: 'sales'; available: number; waiting: number };

export type UserMessage =
  | { kind: 'booking'; bookingId: string; eventId: string; status: string }
  | { kind: 'notification'; title: string }
  | { kind: 'holds'; eventId: string }
  | { kind: 'positions'; eventId: string }
  /** Messages were lost: whatever is shown must be fetched again. */
  | { kind: 'refresh' };

function record(value: unknown): Record<string, unknown> | null {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
}

function isPair(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length === 2 && value.every((n) => Number.isInteger(n));
}

/** Every message in one publication of an event's channel. */
export function readEventMessages(data: unknown): EventMessage[] {
  const o = record(data);
  if (!o) return [];
  const messages: EventMessage[] = [];
  if (typeof o.version === 'string') {
    const seats = Array.isArray(o.seats) ? o.seats.filter(isPair) : [];
    messages.push({ kind: 'seats', delta: { version: o.version, seats } });
  }
  if (typeof o.viewers === 'number') messages.push({ kind: 'viewers', viewers: o.viewers });
  if (typeof o.live === 'boolean') messages.push({ kind: 'live', live: o.live });
  if (record(o.event)) messages.push({ kind: 'event' });
  const sales = record(o.sales);
  if (sales && typeof sales.available_slots === 'number' && typeof sales.waiting_parties === 'number') {
    messages.push({ kind: 'sales', available: sales.available_slots, waiting: sales.waiting_parties });
  }
  return messages;
}

/** Every message in one publication of a person's channel. */
export function readUserMessages(data: unknown): UserMessage[] {
  const o = record(data);
  if (!o) return [];
  const messages: UserMessage[] = [];
  const booking = record(o.booking);
  if (booking && typeof booking.id === 'string' && typeof booking.event_id === 'string') {
    messages.push({
      kind: 'booking',
      bookingId: booking.id,
      eventId: booking.event_id,
      status: typeof booking.status === 'string' ? booking.status : '',
    });
  }
  if (o.refresh === true) messages.push({ kind: 'refresh' });
  const notification = record(o.notification);
  if (notification) {
    messages.push({
      kind: 'notification',
      title: typeof notification.title === 'string' ? notification.title : '',
    });
  }
  for (const kind of ['holds', 'positions'] as const) {
    const about = record(o[kind]);
    if (about && typeof about.event_id === 'string') messages.push({ kind, eventId: about.event_id });
  }
  return messages;
}
