import { plural, t } from '@lingui/core/macro';
import { FileUp } from 'lucide-react';
import { type DragEvent, useRef, useState } from 'react';
import { isRole, ROLES, roleName } from '@/features/organization/roles';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { cx } from '@/ui/classes';
import { Field, Select, Textarea } from '@/ui/Field';
import { Notice } from '@/ui/Notice';
import { OutcomeList, VerdictList } from './InviteVerdicts';
import { MAX_LINES, MAX_TEXT } from './inviteLines';
import type { InviteList } from './useInviteList';

/** Invites a pasted list or a CSV file, which is looked through line by line before anything is sent. */
export function InviteMany({ list }: { list: InviteList }) {
  const { text, role, lines, ready, sent, answered } = list;
  if (answered) return <OutcomeList answered={answered} onAgain={list.again} />;
  return (
    <Card className="p-5">
      <ListInput text={text} locked={sent !== null} onText={list.setText} />
      <div className="mt-4 grid items-end gap-4 sm:grid-cols-[12rem_1fr]">
        <Field label={t`As`} hint={t`Where a line names no role.`}>
          {(control) => (
            <Select
              {...control}
              value={role}
              disabled={sent !== null}
              onChange={(e) => isRole(e.target.value) && list.setRole(e.target.value)}
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
          busy={sent !== null}
          disabled={ready === 0}
          onClick={list.send}
        >
          {sent
            ? t`${sent} of ${ready} sent`
            : plural(ready, { 0: 'Invite', one: 'Invite # person', other: 'Invite # people' })}
        </Button>
      </div>
      {lines.length > 0 ? <VerdictList lines={lines} /> : null}
    </Card>
  );
}

function ListInput({
  text,
  locked,
  onText,
}: {
  text: string;
  locked: boolean;
  onText: (text: string) => void;
}) {
  const file = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [problem, setProblem] = useState<string | null>(null);
  const read = (chosen: File | undefined) => {
    if (!chosen || locked) return;
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
            readOnly={locked}
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
          disabled={locked}
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
