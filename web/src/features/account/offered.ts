// Who was shown the offer to create an organization, on this device.

const KEY = 'happening.organizer-offer';
/** Who shares a device are few; the oldest is forgotten, and shown it once more. */
const MAX_PEOPLE = 20;

// Storage may be forbidden; the offer is then made once in the life of the page.
let known: readonly string[] = [];

function read(): readonly string[] {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    if (Array.isArray(value)) known = value.filter((id): id is string => typeof id === 'string');
  } catch {
    // What was kept before, or nothing.
  }
  return known;
}

export function isOffered(userId: string): boolean {
  return read().includes(userId);
}

export function markOffered(userId: string): void {
  if (isOffered(userId)) return;
  known = [...known, userId].slice(-MAX_PEOPLE);
  try {
    localStorage.setItem(KEY, JSON.stringify(known));
  } catch {
    // It then holds until the page is left.
  }
}
