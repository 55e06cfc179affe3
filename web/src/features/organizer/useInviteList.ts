import { t } from '@lingui/core/macro';
import { useMemo, useState } from 'react';
import { useInviteMany } from '@/api/organizations';
import type { Role } from '@/api/types';
import { explain } from '@/app/explain';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';
import { type Answered, answersOf } from './inviteAnswers';
import { asText, type InviteLine, readInviteLines } from './inviteLines';

export interface InviteList {
  readonly text: string;
  readonly setText: (text: string) => void;
  readonly role: Role;
  readonly setRole: (role: Role) => void;
  readonly lines: readonly InviteLine[];
  readonly ready: number;
  /** Lines sent so far; null while nothing is under way. */
  readonly sent: number | null;
  readonly answered: readonly Answered[] | null;
  readonly send: () => void;
  /** Puts lines back into the box, to be corrected and sent. */
  readonly again: (rest: readonly InviteLine[]) => void;
}

/** A list of people to invite, from typing it to what became of each line. */
export function useInviteList(orgId: string): InviteList {
  const [text, setText] = useState('');
  const [role, setRole] = useState<Role>('user');
  const [answered, setAnswered] = useState<readonly Answered[] | null>(null);
  const [sent, setSent] = useState<number | null>(null);
  const invite = useInviteMany(orgId);
  const once = useOnce();
  const lines = useMemo(() => readInviteLines(text, role), [text, role]);
  const good = lines.filter((line) => line.verdict === 'ok');
  const send = () =>
    once(async () => {
      setSent(0);
      try {
        const outcomes = await invite.mutateAsync({ list: good, onProgress: setSent });
        setAnswered(answersOf(lines, outcomes));
      } catch (error) {
        toast('bad', t`Nobody was invited`, explain(error));
      } finally {
        setSent(null);
      }
    });
  const again = (rest: readonly InviteLine[]) => {
    setText(asText(rest));
    setAnswered(null);
  };
  return { text, setText, role, setRole, lines, ready: good.length, sent, answered, send, again };
}
