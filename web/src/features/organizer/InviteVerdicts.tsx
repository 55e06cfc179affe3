import { plural, t } from '@lingui/core/macro';
import { CircleAlert, CircleCheck } from 'lucide-react';
import type { ReactNode } from 'react';
import type { InviteOutcome } from '@/api/types';
import { roleName } from '@/features/organization/roles';
import { Badge, type Tone } from '@/ui/Badge';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { type Answered, unsettled } from './inviteAnswers';
import { type InviteLine, MAX_LINES } from './inviteLines';

/** What is to be thought of each line before it is sent; what can't go stands first. */
export function VerdictList({ lines }: { lines: readonly InviteLine[] }) {
  const bad = lines.filter((line) => line.verdict !== 'ok');
  const good = lines.filter((line) => line.verdict === 'ok');
  const ready = plural(good.length, {
    0: 'No line can be sent',
    one: '# line is ready',
    other: '# lines are ready',
  });
  const left = plural(bad.length, { 0: '', one: '# is left out', other: '# are left out' });
  return (
    <div className="mt-5 border-t border-line pt-4">
      <p role="status" className="text-sm font-semibold">
        {[ready, left].filter(Boolean).join(' · ')}
      </p>
      <Rows label={t`Lines of the list`}>
        {[...bad, ...good].map((line, i) => (
          <Row
            // biome-ignore lint/suspicious/noArrayIndexKey: an address may stand on a line more than once, and rows have no state
            key={`${i} ${line.line} ${line.email}`}
            line={line}
            tone={line.verdict === 'ok' ? 'good' : line.verdict === 'repeated' ? 'neutral' : 'bad'}
            word={line.verdict === 'ok' ? roleName(line.role) : verdictWord(line)}
          />
        ))}
      </Rows>
    </div>
  );
}

function verdictWord(line: InviteLine): string {
  switch (line.verdict) {
    case 'no_address':
      return t`No e-mail address`;
    case 'unknown_role':
      return t`“${line.word ?? ''}” is no role`;
    case 'repeated':
      return t`Twice in the list`;
    case 'too_many':
      return t`More than ${MAX_LINES} at once`;
    case 'ok':
      return '';
  }
}

/** What became of each line, with a way to try again what was not sent. */
export function OutcomeList({
  answered,
  onAgain,
}: {
  answered: readonly Answered[];
  onAgain: (rest: readonly InviteLine[]) => void;
}) {
  const invited = answered.filter((one) => one.outcome === 'invited').length;
  const unsent = answered.filter((one) => one.outcome === null).length;
  const rest = unsettled(answered);
  const ordered = [...answered].sort(
    (a, b) => Number(a.outcome === 'invited') - Number(b.outcome === 'invited'),
  );
  const done = plural(invited, {
    0: 'Nobody was invited',
    one: '# person is invited',
    other: '# people are invited',
  });
  const left = plural(unsent, { 0: '', one: '# line was not sent', other: '# lines were not sent' });
  return (
    <Card className="p-5">
      <p role="status" className="font-semibold">
        {[done, left].filter(Boolean).join(' · ')}
      </p>
      <Rows label={t`What became of each line`}>
        {ordered.map(({ line, outcome }, i) => {
          const { tone, word } = outcome ? outcomeWord(outcome) : unsentWord(line);
          // biome-ignore lint/suspicious/noArrayIndexKey: an address may stand on a line more than once, and rows have no state
          return <Row key={`${i} ${line.line} ${line.email}`} line={line} tone={tone} word={word} />;
        })}
      </Rows>
      <Button look="secondary" className="mt-4" onClick={() => onAgain(rest)}>
        {plural(rest.length, {
          0: 'Invite more',
          one: 'Go on with the # line that is left',
          other: 'Go on with the # lines that are left',
        })}
      </Button>
    </Card>
  );
}

function outcomeWord(outcome: InviteOutcome['outcome']): { tone: Tone; word: string } {
  switch (outcome) {
    case 'invited':
      return { tone: 'good', word: t`Invited` };
    case 'already_member':
      return { tone: 'neutral', word: t`Is a member already` };
    case 'already_invited':
      return { tone: 'neutral', word: t`Has an open invitation` };
    case 'repeated':
      return { tone: 'neutral', word: t`Twice in the list` };
    case 'invalid':
      return { tone: 'bad', word: t`No e-mail address` };
    case 'limit':
      return { tone: 'warn', word: t`Too many for today` };
  }
}

function unsentWord(line: InviteLine): { tone: Tone; word: string } {
  if (line.verdict === 'ok') return { tone: 'warn', word: t`Not sent; try again` };
  if (line.verdict === 'repeated') return { tone: 'neutral', word: verdictWord(line) };
  return { tone: 'warn', word: t`Not sent: ${verdictWord(line)}` };
}

function Rows({ label, children }: { label: string; children: ReactNode }) {
  return (
    <section
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      className="mt-3 max-h-80 overflow-y-auto rounded-md border border-line"
    >
      <ul className="divide-y divide-line">{children}</ul>
    </section>
  );
}

function Row({ line, tone, word }: { line: InviteLine; tone: Tone; word: string }) {
  const Icon = tone === 'good' ? CircleCheck : CircleAlert;
  return (
    <li className="flex flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2 text-sm">
      <span className="figures w-8 shrink-0 text-right text-xs text-muted">
        <span className="sr-only">{t`Line`} </span>
        {line.line}
      </span>
      <span className="min-w-0 flex-1 basis-40 wrap-anywhere">{line.email}</span>
      <Badge
        tone={tone}
        icon={<Icon aria-hidden="true" className="size-3.5" />}
        className="max-w-full max-sm:ml-11"
      >
        <span className="truncate">{word}</span>
      </Badge>
    </li>
  );
}
