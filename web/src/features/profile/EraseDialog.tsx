import { t } from '@lingui/core/macro';
import { Link } from '@tanstack/react-router';
import { type FormEvent, useId, useState } from 'react';
import { ApiError, hasCode } from '@/api/problem';
import { organizationsIn, useErase } from '@/api/profile';
import type { Me } from '@/api/types';
import { explain } from '@/app/explain';
import { Button } from '@/ui/Button';
import { Dialog } from '@/ui/Dialog';
import { Field, Input } from '@/ui/Field';
import { Notice } from '@/ui/Notice';
import { forgetHere } from './forget';

/** Asks for one's own address before everything about one is erased. */
export function EraseDialog({
  me,
  open,
  onOpenChange,
}: {
  me: Me;
  open: boolean;
  onOpenChange: (open: boolean) => void;
}) {
  const form = useId();
  const erase = useErase();
  const [typed, setTyped] = useState('');
  const matches = typed.trim().toLowerCase() === me.email.toLowerCase();
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (!matches) return;
    erase.mutate(typed.trim(), {
      onSuccess: () => {
        forgetHere(me.id);
        // A page of its own, loaded anew: nothing of the person stays in this one.
        window.location.replace('/goodbye');
      },
    });
  };
  const leave = (next: boolean) => {
    if (next || erase.isPending) return;
    setTyped('');
    erase.reset();
    onOpenChange(false);
  };
  return (
    <Dialog
      open={open}
      onOpenChange={leave}
      title={t`Delete your account?`}
      description={t`This can't be taken back, not by us either.`}
      footer={
        <>
          <Button look="secondary" disabled={erase.isPending} onClick={() => leave(false)}>
            {t`Keep my account`}
          </Button>
          <Button
            look="danger"
            type="submit"
            form={form}
            disabled={!matches}
            busy={erase.isPending || erase.isSuccess}
          >
            {t`Delete for good`}
          </Button>
        </>
      }
    >
      {erase.error ? <Refused error={erase.error} onFollow={() => leave(false)} /> : null}
      <form id={form} onSubmit={submit} noValidate>
        <Field
          label={t`Type your address to confirm`}
          hint={<span className="wrap-anywhere">{me.email}</span>}
        >
          {(control) => (
            <Input
              {...control}
              type="email"
              value={typed}
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              onChange={(e) => setTyped(e.target.value)}
            />
          )}
        </Field>
      </form>
    </Dialog>
  );
}

function Refused({ error, onFollow }: { error: Error; onFollow: () => void }) {
  if (!hasCode(error, 'last_org_admin')) {
    const field = error instanceof ApiError ? error.errors[0] : undefined;
    return (
      <Notice live tone="bad" className="mb-4" title={t`Your account is not deleted`}>
        {field?.message ?? explain(error)}
      </Notice>
    );
  }
  return (
    <Notice live tone="warn" className="mb-4" title={t`Somebody else has to take over first`}>
      <p>
        {t`You are the only administrator here. Make another member one, or delete the organization if nobody needs it any more:`}
      </p>
      <ul className="mt-2 space-y-1">
        {organizationsIn(error).map(({ id, name }) => (
          <li key={id}>
            <Link
              to="/manage/$orgId/people"
              params={{ orgId: id }}
              onClick={onFollow}
              className="font-semibold wrap-anywhere text-accent-ink underline underline-offset-4"
            >
              {name}
            </Link>
          </li>
        ))}
      </ul>
    </Notice>
  );
}
