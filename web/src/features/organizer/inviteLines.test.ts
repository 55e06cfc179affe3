import { describe, expect, it } from 'vitest';
import { asText, isAddress, MAX_LINES, readInviteLines } from './inviteLines';

const read = (text: string) =>
  readInviteLines(text, 'user').map(({ email, role, verdict }) => `${email} ${role} ${verdict}`);

describe('a pasted list', () => {
  it.each([
    ['an address a line', 'a@x.org\n\n  b@x.org \r\nc@x.org', ['a@x.org', 'b@x.org', 'c@x.org']],
    ['a list in one line', 'a@x.org, b@x.org; c@x.org', ['a@x.org', 'b@x.org', 'c@x.org']],
    [
      'what mail programs write',
      '"Doe, Ann" <a@x.org>, Bob <b@x.org>\nmailto:c@x.org',
      ['a@x.org', 'b@x.org', 'c@x.org'],
    ],
    ['a spreadsheet with names first', 'Ann Doe\ta@x.org\nBob;b@x.org', ['a@x.org', 'b@x.org']],
    ['a list with spaces between', 'a@x.org b@x.org   c@x.org', ['a@x.org', 'b@x.org', 'c@x.org']],
    ['a name before a space', 'Ann Doe a@x.org', ['a@x.org']],
    ['a heading alone', 'E-Mail\na@x.org', ['a@x.org']],
    ['a byte order mark', '\ufeffa@x.org', ['a@x.org']],
  ])('%s is read', (_, text, emails) => {
    expect(read(text)).toEqual(emails.map((email) => `${email} user ok`));
  });

  it('takes a role after an address, in any spelling', () => {
    expect(read('a@x.org,organizer\nb@x.org;Org Admin\nc@x.org\tADMIN\nd@x.org, member\ne@x.org,')).toEqual([
      'a@x.org organizer ok',
      'b@x.org orgAdmin ok',
      'c@x.org orgAdmin ok',
      'd@x.org user ok',
      'e@x.org user ok',
    ]);
  });

  it('takes a role after a space, too', () => {
    expect(read('a@x.org   organizer\nb@x.org org admin\nEmail\nc@x.org, admin')).toEqual([
      'a@x.org organizer ok',
      'b@x.org orgAdmin ok',
      'c@x.org orgAdmin ok',
    ]);
    expect(readInviteLines('a@x.org someone', 'user')[0]).toMatchObject({
      verdict: 'unknown_role',
      word: 'someone',
    });
  });

  it('finds a heading below a title, or where a second list begins', () => {
    expect(read('Guests\n\nname,e-mail\nAnn,a@x.org\nrole;mail\nadmin;b@x.org')).toEqual([
      'Guests user no_address',
      'a@x.org user ok',
      'b@x.org orgAdmin ok',
    ]);
  });

  it('takes no word for a role that is none, rather than inviting with another one', () => {
    const [line] = readInviteLines('a@x.org, orgnizer', 'orgAdmin');
    expect(line).toMatchObject({ verdict: 'unknown_role', word: 'orgnizer' });
  });

  it('knows its columns from a heading, and then minds no other', () => {
    const text = 'Name;Role;E-Mail;Town\n"Doe; Ann";organizer;a@x.org;Ulm\nBob;;b@x.org;Bonn\nCy;user;;Kiel';
    expect(read(text)).toEqual(['a@x.org organizer ok', 'b@x.org user ok', 'Cy user  Kiel user no_address']);
  });

  it('names what is no address, and where it stands', () => {
    const lines = readInviteLines('a@x.org\nnonsense\n@x.org, b@', 'user');
    expect(lines.map((l) => [l.line, l.email, l.verdict])).toEqual([
      [1, 'a@x.org', 'ok'],
      [2, 'nonsense', 'no_address'],
      [3, '@x.org', 'no_address'],
      [3, 'b@', 'no_address'],
    ]);
  });

  it('counts an address once, however it is written', () => {
    expect(read('A@x.org\na@X.org, organizer')).toEqual(['A@x.org user ok', 'a@X.org organizer repeated']);
  });

  it('takes as many as go at once, and tells which were too many', () => {
    const many = Array.from({ length: MAX_LINES + 2 }, (_, i) => `p${i}@x.org`);
    const verdicts = readInviteLines(['nonsense', ...many].join('\n'), 'user').map((l) => l.verdict);
    expect(verdicts.filter((v) => v === 'ok')).toHaveLength(MAX_LINES);
    expect(verdicts.slice(-2)).toEqual(['too_many', 'too_many']);
  });

  it('can be written again as it was understood', () => {
    const lines = readInviteLines('a@x.org, admin\nb@x.org', 'organizer');
    expect(readInviteLines(asText(lines), 'user').map(({ email, role }) => [email, role])).toEqual([
      ['a@x.org', 'orgAdmin'],
      ['b@x.org', 'organizer'],
    ]);
  });

  it('keeps what was left out as it was written', () => {
    const long = `no address ${'x'.repeat(100)}`;
    const lines = readInviteLines(`a@x.org, orgnizer\n${long}`, 'user');
    expect(asText(lines)).toBe(`a@x.org, orgnizer\n${long}`);
  });

  it('is read to an end, whatever it is', () => {
    for (const text of ['', ',,;\t', '"', '""""', '<', '>@<', '\u0000', '@'.repeat(5000), '<<a@x.org>>']) {
      expect(Array.isArray(readInviteLines(text, 'user'))).toBe(true);
    }
    expect(isAddress(`${'a'.repeat(250)}@x.org`)).toBe(false);
  });
});
