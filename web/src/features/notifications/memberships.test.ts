import { describe, expect, it } from 'vitest';
import { type Membership, membershipChanges } from './memberships';

const place = (id: string, role: Membership['role']): Membership => ({ id, name: `The ${id}`, role });

describe('changes of memberships', () => {
  it('are none where nothing changed but the order', () => {
    const [a, b] = [place('a', 'user'), place('b', 'orgAdmin')];
    expect(membershipChanges([a, b], [b, a])).toEqual([]);
  });

  it('tell of places that are new, gone or of another role', () => {
    const before = [place('a', 'user'), place('b', 'orgAdmin'), place('c', 'organizer')];
    const after = [place('a', 'organizer'), place('c', 'organizer'), place('d', 'user')];
    expect(membershipChanges(before, after)).toEqual([
      { kind: 'role', org: place('a', 'organizer'), before: 'user' },
      { kind: 'left', org: place('b', 'orgAdmin') },
      { kind: 'joined', org: place('d', 'user') },
    ]);
  });

  it('do not count a new name', () => {
    expect(membershipChanges([place('a', 'user')], [{ ...place('a', 'user'), name: 'Renamed' }])).toEqual([]);
  });
});
