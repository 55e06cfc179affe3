import type { InviteOutcome } from '@/api/types';
import type { InviteLine } from './inviteLines';

export interface Answered {
  readonly line: InviteLine;
  /** Null: it was not sent, because of what the line's verdict says or because the server could not be asked. */
  readonly outcome: InviteOutcome['outcome'] | null;
}

/** Every line of a list with what became of it; the answers are those of its good lines, in order. */
export function answersOf(
  lines: readonly InviteLine[],
  outcomes: readonly (Pick<InviteOutcome, 'outcome'> | null)[],
): Answered[] {
  let at = 0;
  return lines.map((line) => ({
    line,
    outcome: line.verdict === 'ok' ? (outcomes[at++]?.outcome ?? null) : null,
  }));
}

/** The lines that another try can help; who is on the list twice needs none. */
export function unsettled(answered: readonly Answered[]): InviteLine[] {
  return answered
    .filter(({ line, outcome }) =>
      outcome === null ? line.verdict !== 'repeated' : outcome === 'invalid' || outcome === 'limit',
    )
    .map(({ line }) => line);
}
