import { plural, t } from '@lingui/core/macro';
import { ChevronDown, ChevronUp, Trash2 } from 'lucide-react';
import { useId, useRef, useState } from 'react';
import type { FieldProblem } from '@/api/problem';
import { Button, IconButton } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Field, Input } from '@/ui/Field';
import { Notice } from '@/ui/Notice';
import {
  common,
  type DraftRow,
  type DraftSection,
  MAX_FIRST,
  MAX_LABEL,
  MAX_NAME,
  MAX_ROW_SEATS,
  MAX_ROWS,
  withEvery,
  withLabels,
  withRow,
  withRows,
} from './draft';
import { NumberField } from './NumberField';

/** Rows that are shown one by one at first, and more at a time. */
const ROWS_SHOWN = 30;
/** Faults of rows that are told at once. */
const FAULTS_TOLD = 5;

interface Props {
  section: DraftSection;
  index: number;
  last: boolean;
  /** There is no other, which needs no name. */
  only: boolean;
  /** It was just added, hence one goes on with its name. */
  fresh: boolean;
  /** What is wrong, by `name` and `rows[0].label`. */
  faults: readonly FieldProblem[];
  onChange: (section: DraftSection) => void;
  onMove: (by: -1 | 1) => void;
  onRemove: () => void;
}

/** One section: its name, its rows as a whole, and one by one. */
export function SectionCard({
  section,
  index,
  last,
  only,
  fresh,
  faults,
  onChange,
  onMove,
  onRemove,
}: Props) {
  const title = useId();
  const name = section.name.trim() || (only ? t`The seats` : t`Section ${index + 1}`);
  const seats = section.rows.reduce((sum, row) => sum + row.seats, 0);
  return (
    <Card className="p-4 sm:p-5">
      <section aria-labelledby={title} data-row tabIndex={-1} className="rounded-md">
        <header className="mb-3 flex items-center gap-1">
          <h2 id={title} className="min-w-0 flex-1 truncate font-semibold">
            {name}{' '}
            <span className="text-sm font-normal text-muted">
              {plural(seats, { one: '# seat', other: '# seats' })}
            </span>
          </h2>
          {only ? null : (
            <>
              <IconButton
                label={t`${name}: nearer to the stage`}
                disabled={index === 0}
                onClick={() => onMove(-1)}
              >
                <ChevronUp aria-hidden="true" className="size-5" />
              </IconButton>
              <IconButton
                label={t`${name}: further from the stage`}
                disabled={last}
                onClick={() => onMove(1)}
              >
                <ChevronDown aria-hidden="true" className="size-5" />
              </IconButton>
              <IconButton label={t`Remove ${name}`} onClick={onRemove}>
                <Trash2 aria-hidden="true" className="size-4.5" />
              </IconButton>
            </>
          )}
        </header>
        <div className="grid grid-cols-2 gap-4">
          <Field
            label={t`Name`}
            className="col-span-2"
            hint={only ? t`Such as Stalls. A single section needs none.` : undefined}
            error={faults.find(({ field }) => field === 'name')?.message}
          >
            {(control) => (
              <Input
                {...control}
                // Whoever added it goes on with its name.
                autoFocus={fresh}
                autoComplete="off"
                maxLength={MAX_NAME}
                value={section.name}
                onChange={(e) => onChange({ ...section, name: e.target.value })}
              />
            )}
          </Field>
          <NumberFields section={section} onChange={onChange} />
        </div>
        <RowFaults section={section} faults={faults} />
        <SingleRows section={section} name={name} onChange={onChange} />
      </section>
    </Card>
  );
}

function NumberFields({ section, onChange }: Pick<Props, 'section' | 'onChange'>) {
  // On the way to 25 one types 2: the rows beyond come back as they were.
  const before = useRef(section.rows);
  return (
    <>
      <NumberField
        label={t`Rows`}
        value={section.rows.length}
        max={MAX_ROWS}
        onBegin={() => {
          before.current = section.rows;
        }}
        onChange={(count) => onChange(withRows({ ...section, rows: before.current }, count))}
      />
      <NumberField
        label={t`Seats in each row`}
        value={common(section, 'seats')}
        max={MAX_ROW_SEATS}
        onChange={(seats) => onChange(withEvery(section, 'seats', seats))}
      />
      <Field label={t`Rows begin with`}>
        {(control) => (
          <Input
            {...control}
            autoComplete="off"
            maxLength={MAX_LABEL}
            value={section.rows[0]?.label ?? ''}
            onChange={(e) => onChange(withLabels(section, e.target.value))}
          />
        )}
      </Field>
      <NumberField
        label={t`Seats begin with`}
        value={common(section, 'first')}
        max={MAX_FIRST}
        onChange={(first) => onChange(withEvery(section, 'first', first))}
      />
    </>
  );
}

function RowFaults({ section, faults }: Pick<Props, 'section' | 'faults'>) {
  const told = faults
    .map(({ field, message }) => ({ row: /^rows\[(\d+)\]/.exec(field)?.[1], field, message }))
    .filter(({ field }) => field !== 'name')
    .slice(0, FAULTS_TOLD);
  if (told.length === 0) return null;
  return (
    <Notice tone="bad" className="mt-4">
      {told.map(({ row, field, message }) => {
        const label = section.rows[Number(row)]?.label ?? '';
        return (
          <span key={field} className="block">
            {row === undefined ? message : t`Row ${label}: ${message}`}
          </span>
        );
      })}
    </Notice>
  );
}

function SingleRows({
  section,
  name,
  onChange,
}: {
  section: DraftSection;
  name: string;
  onChange: Props['onChange'];
}) {
  const [shown, setShown] = useState(0);
  const id = useId();
  const more = section.rows.length > shown;
  return (
    <div className="mt-3">
      <Button
        look="ghost"
        size="sm"
        className="-ml-3"
        aria-expanded={shown > 0}
        aria-controls={shown > 0 ? id : undefined}
        aria-label={t`${name}: single rows`}
        onClick={() => setShown(shown > 0 ? 0 : ROWS_SHOWN)}
      >
        {shown > 0 ? t`Hide single rows` : t`Change single rows`}
      </Button>
      {shown > 0 ? (
        <div id={id} className="mt-2 space-y-2">
          <p aria-hidden="true" className="grid grid-cols-3 gap-2 text-xs font-semibold text-muted">
            <span>{t`Row`}</span>
            <span>{t`Seats`}</span>
            <span>{t`First seat`}</span>
          </p>
          {section.rows.slice(0, shown).map((row, i) => (
            <OneRow
              // biome-ignore lint/suspicious/noArrayIndexKey: a row is where it stands; its label is being typed.
              key={i}
              row={row}
              position={i + 1}
              onChange={(change) => onChange(withRow(section, i, change))}
            />
          ))}
          {more ? (
            <Button look="ghost" size="sm" onClick={() => setShown(shown + ROWS_SHOWN)}>
              {t`Show more rows`}
            </Button>
          ) : null}
        </div>
      ) : null}
    </div>
  );
}

function OneRow({
  row,
  position,
  onChange,
}: {
  row: DraftRow;
  position: number;
  onChange: (change: Partial<DraftRow>) => void;
}) {
  return (
    <div className="grid grid-cols-3 items-start gap-2">
      <Field label={t`Label of row ${position}`} hideLabel>
        {(control) => (
          <Input
            {...control}
            autoComplete="off"
            maxLength={MAX_LABEL}
            value={row.label}
            onChange={(e) => onChange({ label: e.target.value })}
          />
        )}
      </Field>
      <NumberField
        label={t`Seats of row ${position}`}
        hideLabel
        value={row.seats}
        max={MAX_ROW_SEATS}
        onChange={(seats) => onChange({ seats })}
      />
      <NumberField
        label={t`First seat of row ${position}`}
        hideLabel
        value={row.first}
        max={MAX_FIRST}
        onChange={(first) => onChange({ first })}
      />
    </div>
  );
}
