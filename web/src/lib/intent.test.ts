import { expect, it } from 'vitest';
import { Intents } from './intent';

it('keeps the key over retries of the same wish and no longer', () => {
  const intents = new Intents();
  const first = intents.keyFor({ event: 'e', seats: 2 });
  expect(intents.keyFor({ event: 'e', seats: 2 })).toBe(first);
  const other = intents.keyFor({ event: 'e', seats: 3 });
  expect(other).not.toBe(first);
  intents.settle();
  expect(intents.keyFor({ event: 'e', seats: 3 })).not.toBe(other);
});
