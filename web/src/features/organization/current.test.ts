// @vitest-environment jsdom
import { beforeEach, describe, expect, it } from 'vitest';
import type { Me } from '@/api/types';
import { currentOf, rememberedOrg, rememberOrg, rereadRemembered } from './current';

const me = {
  id: 'ann',
  organizations: [
    { id: 'club', name: 'Club', role: 'user' },
    { id: 'theatre', name: 'Theatre', role: 'orgAdmin' },
  ],
} as Me;

beforeEach(() => {
  localStorage.clear();
  rereadRemembered();
});

describe('the current organization', () => {
  it('is the first until another one was chosen, and is kept for each person', () => {
    expect(currentOf(me, rememberedOrg('ann'))?.id).toBe('club');
    rememberOrg('ann', 'theatre');
    rememberOrg('bob', 'club');
    rereadRemembered();
    expect(currentOf(me, rememberedOrg('ann'))?.id).toBe('theatre');
    expect(rememberedOrg('bob')).toBe('club');
  });

  it('is one that the person still belongs to', () => {
    rememberOrg('ann', 'gone');
    expect(currentOf(me, rememberedOrg('ann'))?.id).toBe('club');
    expect(currentOf({ ...me, organizations: [] }, 'gone')).toBeUndefined();
  });

  it('forgets the oldest of many people, and survives rubbish', () => {
    for (let i = 0; i < 25; i++) rememberOrg(`person ${i}`, 'club');
    expect(rememberedOrg('person 0')).toBeNull();
    expect(rememberedOrg('person 24')).toBe('club');
    localStorage.setItem('happening.organization', '[["ann"],7,["ann","club"]]');
    rereadRemembered();
    expect(rememberedOrg('ann')).toBe('club');
    localStorage.setItem('happening.organization', '{');
    rereadRemembered();
    expect(rememberedOrg('ann')).toBeNull();
  });
});
