// The server's clock as its answers tell it. Countdowns to a time that the
// server set must not depend on how wrong this device's clock is.

const NOTABLE_MS = 2000;
let offset = 0;

/** Learns from an answer's Date header, which is whole seconds. */
export function learnClock(date: string | null, now = Date.now()): void {
  const told = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(told)) return;
  const apart = told + 500 - now;
  // Below the header's own coarseness the device's clock is the better one.
  offset = Math.abs(apart) < NOTABLE_MS ? 0 : apart;
}

export function serverNow(): number {
  return Date.now() + offset;
}
