// Between an instant and the wall clock of a zone, which is what forms edit:
// an organizer in Berlin who types 19:00 for Tokyo means Tokyo's 19:00.

const DAY_MS = 86_400_000;

/** The wall clock in a zone as `datetime-local` inputs want it: "2026-11-22T19:00". */
export function toWallClock(iso: string, zone: string): string {
  const p = parts(new Date(iso), zone);
  return `${p.year}-${p.month}-${p.day}T${p.hour}:${p.minute}`;
}

/**
 * The instant at which the zone's wall clock shows `local`. In an overlap the
 * first of the two; in a gap the instant just as far after the gap's start.
 */
export function fromWallClock(local: string, zone: string): string {
  const wanted = Date.parse(`${local}:00Z`);
  // A zone changes its offset at most once within two days, so the offsets a
  // day before and a day after are the only ones that can hold in between.
  const before = wanted - offset(wanted - DAY_MS, zone);
  const after = wanted - offset(wanted + DAY_MS, zone);
  const candidates = [Math.min(before, after), Math.max(before, after)];
  const hit = candidates.find((t) => t + offset(t, zone) === wanted);
  return new Date(hit ?? before).toISOString();
}

/** Zones that the browser knows, the viewer's own first. */
export function zones(own: string): string[] {
  const all = Intl.supportedValuesOf('timeZone');
  return [own, 'UTC', ...all.filter((z) => z !== own && z !== 'UTC')].filter(
    (z, i, list) => list.indexOf(z) === i,
  );
}

// How far the zone's wall clock is ahead of UTC at an instant, in milliseconds.
function offset(time: number, zone: string): number {
  const p = parts(new Date(time), zone);
  return (
    Date.parse(`${p.year}-${p.month}-${p.day}T${p.hour}:${p.minute}:${p.second}Z`) -
    Math.floor(time / 1000) * 1000
  );
}

type Part = 'year' | 'month' | 'day' | 'hour' | 'minute' | 'second';

function parts(date: Date, zone: string): Record<Part, string> {
  const f = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  const out: Record<Part, string> = { year: '', month: '', day: '', hour: '', minute: '', second: '' };
  for (const part of f.formatToParts(date)) {
    if (part.type in out) out[part.type as Part] = part.value;
  }
  return out;
}
