import { describe, expect, it } from 'vitest';
import { inviteBatches } from './inviteBatches';
import type { Role } from './types';

describe('a long list of invitations', () => {
  it('goes in calls of one role and of 200 at most, and no line is left behind', () => {
    const list = Array.from({ length: 450 }, (_, i) => ({
      role: (i % 45 === 7 ? 'organizer' : 'user') as Role,
    }));
    const batches = inviteBatches(list);
    expect(batches.map(({ role, at }) => [role, at.length])).toEqual([
      ['user', 200],
      ['user', 200],
      ['user', 40],
      ['organizer', 10],
    ]);
    for (const { role, at } of batches) expect(at.every((i) => list[i]?.role === role)).toBe(true);
    expect(batches.flatMap(({ at }) => at).sort((a, b) => a - b)).toEqual(list.map((_, i) => i));
  });

  it('needs no call when it is empty', () => {
    expect(inviteBatches([])).toEqual([]);
  });
});
