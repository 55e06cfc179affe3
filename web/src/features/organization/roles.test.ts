import { describe, expect, it } from 'vitest';
import { atLeast, isRole, roleName, sectionsFor } from './roles';

describe('roles', () => {
  it('offer what they allow and nothing else', () => {
    expect(sectionsFor('user')).toEqual(['people']);
    expect(sectionsFor('organizer')).toEqual(['events', 'people']);
    expect(sectionsFor('orgAdmin')).toEqual(['events', 'people', 'settings', 'record']);
  });

  it.each([
    ['user', 'user', true],
    ['user', 'organizer', false],
    ['organizer', 'user', true],
    ['organizer', 'orgAdmin', false],
    ['orgAdmin', 'organizer', true],
  ] as const)('%s is at least %s: %s', (role, least, expected) => {
    expect(atLeast(role, least)).toBe(expected);
  });

  it('have names, and nothing else is one', () => {
    expect(['user', 'organizer', 'orgAdmin'].every(isRole)).toBe(true);
    expect([null, '', 'admin', 'toString'].some(isRole)).toBe(false);
    expect(roleName('orgAdmin')).toBe('Administrator');
  });
});
