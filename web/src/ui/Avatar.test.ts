import { describe, expect, it } from 'vitest';
import { initialsOf } from './Avatar';

describe('initials', () => {
  it.each([
    ['Ada Lovelace', 'AL'],
    ['ada', 'A'],
    ['Anna Maria Bach', 'AM'],
    ['  Ada   Lovelace ', 'AL'],
    ['🎺 Brass', '🎺B'],
    ['👩‍👩‍👧 Families', '👩‍👩‍👧F'],
    ['é\u0301te', 'É\u0301'],
    ['', ''],
  ])('of “%s” are “%s”', (name, initials) => expect(initialsOf(name)).toBe(initials));
});
