// @vitest-environment jsdom
import { beforeEach, describe, expect, it } from 'vitest';
import { forgetHere } from './forget';

describe('what a device keeps', () => {
  beforeEach(() => localStorage.clear());

  it('loses a person, and keeps others and what is nobody’s', () => {
    localStorage.setItem('happening.organization', '[["ann","org-1"],["bob","org-2"]]');
    localStorage.setItem('happening.organizer-offer', '["ann","bob"]');
    localStorage.setItem('happening.theme', 'dark');
    localStorage.setItem('somebody.else', '["ann"]');
    forgetHere('ann');
    expect({ ...localStorage }).toEqual({
      'happening.organization': '[["bob","org-2"]]',
      'happening.organizer-offer': '["bob"]',
      'happening.theme': 'dark',
      'somebody.else': '["ann"]',
    });
  });

  it('loses whole what is no list', () => {
    localStorage.setItem('happening.last', 'ann');
    localStorage.setItem('happening.draft', '{"of":"ann"}');
    forgetHere('ann');
    expect({ ...localStorage }).toEqual({});
  });
});
