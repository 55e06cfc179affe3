// How times, numbers and seats are written. An event's times are shown in the
// event's own zone; a viewer elsewhere is told their own time beside it.
import { i18n } from '@lingui/core';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

// The catalog decides the language; the browser's region decides whether it
// is 24 hours or a.m. and p.m.
function locale(): string {
  const lang = i18n.locale || 'en';
  const own =
    typeof navigator === 'undefined' ? undefined : navigator.languages.find((l) => l.startsWith(lang));
  return own ?? lang;
}

const formats = new Map<string, Intl.DateTimeFormat>();

// Building a formatter is dear and lists need hundreds; each kind is built once.
function format(date: Date, zone: string | undefined, options: Intl.DateTimeFormatOptions): string {
  const key = `${locale()}|${zone ?? ''}|${JSON.stringify(options)}`;
  let f = formats.get(key);
  if (!f) {
    f = new Intl.DateTimeFormat(locale(), { ...options, ...(zone ? { timeZone: zone } : {}) });
    formats.set(key, f);
  }
  return f.format(date);
}

export function viewerZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** The parts of a date block: "NOV", "22", "Sun". */
export function dateBlock(iso: string, zone: string): { month: string; day: string; weekday: string } {
  const d = new Date(iso);
  return {
    month: format(d, zone, { month: 'short' }),
    day: format(d, zone, { day: 'numeric' }),
    weekday: format(d, zone, { weekday: 'short' }),
  };
}

/** "Sun, 22 November 2026"; the year is left out while it is the current one. */
export function longDate(iso: string, zone: string, now = new Date()): string {
  const d = new Date(iso);
  const sameYear = format(d, zone, { year: 'numeric' }) === format(now, zone, { year: 'numeric' });
  return format(d, zone, {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
    ...(sameYear ? {} : { year: 'numeric' }),
  });
}

export function shortDate(iso: string, zone?: string): string {
  return format(new Date(iso), zone, { weekday: 'short', day: 'numeric', month: 'short' });
}

export function timeOfDay(iso: string, zone?: string): string {
  return format(new Date(iso), zone, { hour: 'numeric', minute: '2-digit' });
}

/** A point in time with date, for histories: in the viewer's own zone. */
export function moment(iso: string): string {
  return format(new Date(iso), undefined, {
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: 'numeric',
    minute: '2-digit',
  });
}

/** "19:00 – 22:00", with the end's date where it is another day. */
export function timeRange(starts: string, ends: string, zone: string): string {
  const sameDay = format(new Date(starts), zone, DAY_KEY) === format(new Date(ends), zone, DAY_KEY);
  const end = sameDay ? timeOfDay(ends, zone) : `${shortDate(ends, zone)}, ${timeOfDay(ends, zone)}`;
  return `${timeOfDay(starts, zone)} – ${end}`;
}

const DAY_KEY: Intl.DateTimeFormatOptions = { year: 'numeric', month: '2-digit', day: '2-digit' };

/** The zone's short name at that time, for instance "CET" or "GMT+9". */
export function zoneName(iso: string, zone: string): string {
  const parts = new Intl.DateTimeFormat(locale(), { timeZone: zone, timeZoneName: 'short' }).formatToParts(
    new Date(iso),
  );
  return parts.find((p) => p.type === 'timeZoneName')?.value ?? zone;
}

/** The viewer's own time for an event elsewhere, null where the clocks agree. */
export function viewerTime(iso: string, zone: string, own = viewerZone()): string | null {
  const full: Intl.DateTimeFormatOptions = { ...DAY_KEY, hour: 'numeric', minute: '2-digit' };
  const d = new Date(iso);
  if (format(d, zone, full) === format(d, own, full)) return null;
  const sameDay = format(d, zone, DAY_KEY) === format(d, own, DAY_KEY);
  return sameDay ? timeOfDay(iso, own) : `${shortDate(iso, own)}, ${timeOfDay(iso, own)}`;
}

/** "Tuesday, 1 December, 19:00", with the zone where the viewer's clock shows another time. */
export function startLine(iso: string, zone: string, own = viewerZone()): string {
  const time = timeOfDay(iso, zone);
  const told = viewerTime(iso, zone, own) === null ? time : `${time} ${zoneName(iso, zone)}`;
  // A line that wraps keeps the time, its "PM" and its zone together.
  return `${longDate(iso, zone)}, ${told.replace(/\s/g, '\u00a0')}`;
}

/** "3 minutes ago", "in 2 days". */
export function relative(iso: string, now = Date.now()): string {
  const delta = new Date(iso).getTime() - now;
  const rtf = new Intl.RelativeTimeFormat(locale(), { numeric: 'auto' });
  const size = Math.abs(delta);
  if (size < MINUTE) return rtf.format(0, 'second');
  if (size < HOUR) return rtf.format(Math.trunc(delta / MINUTE), 'minute');
  if (size < DAY) return rtf.format(Math.trunc(delta / HOUR), 'hour');
  if (size < 30 * DAY) return rtf.format(Math.trunc(delta / DAY), 'day');
  return format(new Date(iso), undefined, { day: 'numeric', month: 'short', year: 'numeric' });
}

/**
 * When something is over, rounded up: what lasts 7 days is "in 7 days" right
 * after it began. The last two days are told in hours.
 */
export function until(iso: string, now = Date.now()): string {
  const left = Math.max(0, new Date(iso).getTime() - now);
  const rtf = new Intl.RelativeTimeFormat(locale());
  if (left <= HOUR) return rtf.format(Math.ceil(left / MINUTE), 'minute');
  if (left <= 2 * DAY) return rtf.format(Math.ceil(left / HOUR), 'hour');
  return rtf.format(Math.ceil(left / DAY), 'day');
}

/** Time left as "1:59", never below zero. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / SECOND));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

export function count(n: number): string {
  return new Intl.NumberFormat(locale()).format(n);
}
