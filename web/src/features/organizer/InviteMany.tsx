import { plural, t } from '@lingui/core/macro';
import { FileUp } from 'lucide-react';
import { type DragEvent, useMemo, useRef, useState } from 'react';
import { useInviteMany } from '@/api/organizations';
import type { InviteOutcome, Role } from '@/api/types';
import { explain } from '@/app/explain';
import { isRole, ROLES, roleName } from '@/features/organization/roles';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { cx } from '@/ui/classes';
import { Field, Select, Textarea } from '@/ui/Field';
import { Notice } from '@/ui/Notice';
import { toast } from '@/ui/toast';
import { OutcomeList, VerdictList } from './InviteVerdicts';
import { asText, type InviteLine, MAX_LINES, MAX_TEXT, readInviteLines } from './inviteLines';

export interface Answered {
  readonly line: InviteLine;
  /** Null: the server could not be asked about it. */
  readonly outcome: InviteOutcome['outcome'] | null;
}

/** Invites a pasted list or a CSV file, which is looked through line by line before anything is sent. */
export function InviteMany({ orgId }: { orgId: string }) {
  const [text, setText] = useState('');
  const [role, setRole] = useState<Role>('user');
  const [answered, setAnswered] = useState<readonly Answered[] | null>(null);
  const invite = useInviteMany(orgId);
  const lines = useMemo(() => readInviteLines(text, role), [text, role]);
  const good = lines.filter((line) => line.verdict === 'ok');
  const send = () =>
    invite.mutate(good, {
      onSuccess: (outcomes) =>
        setAnswered(good.map((line, i) => ({ line, outcome: outcomes[i]?.outcome ?? null }))),
      onError: (error) => toast('bad', t`Nobody was invited`, explain(error)),
    });
  const again = (rest: readonly InviteLine[]) => {
    setText(asText(rest));
    setAnswered(null);
  };
  if (answered) return <OutcomeList answered={answered} onAgain={again} />;
  return (
    <Card className="p-5">
      <ListInput text={text} onText={setText} />
      <div className="mt-4 grid items-end gap-4 sm:grid-cols-[12rem_1fr]">
        <Field label={t`As`} hint={t`Where a line names no role.`}>
          {(control) => (
            <Select
              {...control}
              value={role}
              onChange={(e) => isRole(e.target.value) && setRole(e.target.value)}
            >
              {ROLES.map((one) => (
                <option key={one} value={one}>
                  {roleName(one)}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Button
          className="sm:mb-[1.7rem] sm:justify-self-end"
          busy={invite.isPending}
          disabled={good.length === 0}
          onClick={send}
        >
          {plural(good.length, { 0: 'Invite', one: 'Invite # person', other: 'Invite # people' })}
        </Button>
      </div>
      {lines.length > 0 ? <VerdictList lines={lines} /> : null}
    </Card>
  );
}

function ListInput({ text, onText }: { text: string; onText: (text: string) => void }) {
  const file = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const read = (chosen: File | undefined) => {
    if (!chosen) return;
    // A spreadsheet's own format begins like an archive; its text says nothing.
    if (/\.(xlsx?|ods|numbers|pdf|docx?)$/i.test(chosen.name)) {
      setProblem(t`Save the sheet as CSV first; this file can't be read as text.`);
      return;
    }
    if (chosen.size > MAX_TEXT) {
      setProblem(t`This file is larger than a list of ${MAX_LINES} addresses can be.`);
      return;
    }
    setProblem(null);
    chosen.text().then(onText, () => setProblem(t`This file can't be read.`));
  };
  const drop = (e: DragEvent) => {
    if (e.dataTransfer.files.length === 0) return;
    e.preventDefault();
    setOver(false);
    read(e.dataTransfer.files[0]);
  };
  return (
    // Dropping is a shortcut for the mouse; the button below does the same for everybody.
    // biome-ignore lint/a11y/noStaticElementInteractions: as said
    <div
      onDragOver={(e) => {
        if (!e.dataTransfer.types.includes('Files')) return;
        e.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <Field
        label={t`E-mail addresses`}
        hint={t`One a line, with a role after a comma if you like: ann@example.org, organizer. At most ${MAX_LINES}.`}
      >
        {(control) => (
          <Textarea
            {...control}
            value={text}
            rows={7}
            maxLength={MAX_TEXT}
            spellCheck={false}
            autoComplete="off"
            className={cx('font-mono sm:text-[0.8125rem]!', over && 'border-accent-ink! bg-accent-soft!')}
            onChange={(e) => onText(e.target.value)}
          />
        )}
      </Field>
      <div className="mt-3 flex flex-wrap items-center gap-x-3 gap-y-2">
        <Button
          size="sm"
          look="secondary"
          icon={<FileUp aria-hidden="true" className="size-4" />}
          onClick={() => file.current?.click()}
        >
          {t`Read a CSV or text file`}
        </Button>
        <span className="text-sm text-muted max-sm:hidden">{t`or drop it on the box`}</span>
      </div>
      <input
        ref={file}
        type="file"
        accept=".csv,.txt,.tsv,text/csv,text/plain"
        aria-label={t`File of addresses`}
        tabIndex={-1}
        className="sr-only"
        onChange={(e) => {
          read(e.target.files?.[0]);
          e.target.value = '';
        }}
      />
      {problem ? (
        <Notice tone="bad" live className="mt-3">
          {problem}
        </Notice>
      ) : null}
    </div>
  );
}
