import { describe, expect, it } from 'vitest';
import { answersOf, unsettled } from './inviteAnswers';
import { asText, MAX_LINES, readInviteLines } from './inviteLines';

describe('what became of a list', () => {
  it('tells of every line, also of those that were not sent', () => {
    const lines = readInviteLines('a@x.org\nnonsense\nb@x.org\na@x.org\nc@x.org, boss', 'user');
    const answered = answersOf(lines, [{ outcome: 'invited' }, { outcome: 'already_member' }]);
    expect(answered.map(({ line, outcome }) => [line.email, line.verdict, outcome])).toEqual([
      ['a@x.org', 'ok', 'invited'],
      ['nonsense', 'no_address', null],
      ['b@x.org', 'ok', 'already_member'],
      ['a@x.org', 'repeated', null],
      ['c@x.org', 'unknown_role', null],
    ]);
  });

  it('leaves for another try what was broken, refused or never asked', () => {
    const lines = readInviteLines('a@x.org\nnonsense\nb@x.org\na@x.org\nc@x.org\nd@x.org, boss', 'user');
    const rest = unsettled(answersOf(lines, [{ outcome: 'invited' }, { outcome: 'limit' }, null]));
    expect(asText(rest)).toBe('nonsense\nb@x.org, user\nc@x.org, user\nd@x.org, boss');
  });

  it('loses none that were too many at once', () => {
    const many = Array.from({ length: MAX_LINES + 50 }, (_, i) => `p${i}@x.org`);
    const lines = readInviteLines(['nonsense', ...many].join('\n'), 'user');
    const sent = lines.filter(({ verdict }) => verdict === 'ok');
    const rest = unsettled(
      answersOf(
        lines,
        sent.map(() => ({ outcome: 'invited' })),
      ),
    );
    expect([sent.length, rest.length]).toEqual([MAX_LINES, 51]);
  });
});
