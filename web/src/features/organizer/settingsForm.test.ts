import { describe, expect, it } from 'vitest';
import { websiteName } from '@/features/organization/website';
import {
  changeOf,
  fullWebsite,
  rebase,
  type SettingsForm,
  settingsField,
  settingsSchema,
} from './settingsForm';

const form: SettingsForm = {
  name: 'Kitchen Concerts',
  about: '',
  contactEmail: '',
  website: '',
  color: '',
  timeZone: '',
};

describe('the settings of an organization', () => {
  it('need a name and nothing else', () => {
    expect(settingsSchema().safeParse(form).success).toBe(true);
    expect(settingsSchema().safeParse({ ...form, name: ' ' }).success).toBe(false);
  });

  it.each([
    ['contactEmail', 'nobody'],
    ['website', 'javascript:alert(1)'],
    ['website', 'https://me:secret@example.org'],
    ['website', 'two words.org'],
    ['color', 'red'],
    ['about', 'x'.repeat(5001)],
  ])('refuse %s = "%s" and say so at that field', (field, value) => {
    const result = settingsSchema().safeParse({ ...form, [field]: value });
    expect(result.error?.issues.map((issue) => issue.path[0])).toEqual([field]);
  });

  it('send only what differs, tidied', () => {
    expect(changeOf(form, form)).toEqual({});
    expect(
      changeOf(
        { ...form, name: ' Attic ', color: 'A1B2C3', website: 'example.org', timeZone: 'Europe/Berlin' },
        form,
      ),
    ).toEqual({
      name: 'Attic',
      color: '#a1b2c3',
      website: 'https://example.org/',
      time_zone: 'Europe/Berlin',
    });
  });

  it('empty what was emptied', () => {
    const before = { ...form, color: '#112233', contactEmail: 'a@x.org', timeZone: 'UTC' };
    expect(changeOf(form, before)).toEqual({ color: null, contact_email: '', time_zone: null });
  });

  it('keep what was typed when somebody else saved another field', () => {
    const newest = { ...form, about: 'A room', timeZone: 'UTC' };
    const { form: merged, theirs } = rebase({ ...form, name: 'Attic', website: 'example.org' }, form, newest);
    expect(merged).toEqual({ ...newest, name: 'Attic', website: 'example.org' });
    expect(theirs).toEqual([
      { field: 'about', value: 'A room', mine: null },
      { field: 'timeZone', value: 'UTC', mine: null },
    ]);
    expect(changeOf(merged, newest)).toEqual({ name: 'Attic', website: 'https://example.org/' });
  });

  it('show both where two changed the same, and theirs holds', () => {
    const newest = { ...form, name: 'Cellar', color: '#112233' };
    const { form: merged, theirs } = rebase({ ...form, name: 'Attic', color: '112233' }, form, newest);
    expect(merged).toEqual(newest);
    expect(theirs).toEqual([
      { field: 'name', value: 'Cellar', mine: 'Attic' },
      { field: 'color', value: '#112233', mine: null },
    ]);
  });

  it('are as typed when only what is not among them changed', () => {
    const typed = { ...form, about: 'A room' };
    expect(rebase(typed, form, form)).toEqual({ form: typed, theirs: [] });
  });

  it('know where to show what the server says', () => {
    expect(settingsField('contact_email')).toBe('contactEmail');
    expect(settingsField('logo')).toBeNull();
  });
});

describe('a website', () => {
  it.each([
    ['example.org', 'https://example.org/'],
    ['http://example.org/club', 'http://example.org/club'],
    ['HTTPS://Example.org', 'https://example.org/'],
    ['localhost', null],
    ['', null],
  ])('typed as "%s" is %s', (typed, expected) => {
    expect(fullWebsite(typed)).toBe(expected);
  });

  it('is called by its host', () => {
    expect(websiteName('https://www.example.org/')).toBe('example.org');
    expect(websiteName('https://example.org/club/')).toBe('example.org/club');
    expect(websiteName('nonsense')).toBe('nonsense');
  });
});
