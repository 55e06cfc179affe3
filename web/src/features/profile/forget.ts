// What this device keeps about people: lists under names of ours, with an entry
// for each person.

const OURS = 'happening.';

function without(value: string, userId: string): string | null {
  try {
    const list: unknown = JSON.parse(value);
    if (!Array.isArray(list)) return null;
    return JSON.stringify(list.filter((entry) => !JSON.stringify(entry).includes(userId)));
  } catch {
    return null;
  }
}

/** Forgets on this device that a person was ever here, and nothing of others. */
export function forgetHere(userId: string, storage = localStorage): void {
  try {
    for (const key of Object.keys(storage).filter((name) => name.startsWith(OURS))) {
      const value = storage.getItem(key);
      if (!value?.includes(userId)) continue;
      const rest = without(value, userId);
      if (rest === null) storage.removeItem(key);
      else storage.setItem(key, rest);
    }
  } catch {
    // Storage may be forbidden; then nothing was ever kept.
  }
}
