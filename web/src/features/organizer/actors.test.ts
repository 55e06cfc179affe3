import { describe, expect, it } from 'vitest';
import { offeredActors } from './actors';

const ann = { id: 'ann', name: 'Ann', email: 'ann@x.org' };
const bob = { id: 'bob', name: 'Bob', email: null };
const gone = { id: 'gone', name: 'Anton', email: null };

describe('who is offered', () => {
  it.each([
    ['members first, each once', [ann, bob], [gone, gone, bob], '', ['ann', 'bob', 'gone']],
    ['of the others only who bears the name', [ann], [gone, bob], 'AN', ['ann', 'gone']],
    ['nobody where nobody fits', [], [gone], 'x', []],
  ])('%s', (_, found, seen, q, ids) => {
    expect(offeredActors(found, seen, q).map((actor) => actor.id)).toEqual(ids);
  });
});
