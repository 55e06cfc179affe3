import { t } from '@lingui/core/macro';
import { type Dispatch, type FormEvent, type SetStateAction, useEffect, useRef, useState } from 'react';
import { useInvite } from '@/api/organizations';
import { ApiError } from '@/api/problem';
import type { Role } from '@/api/types';
import { explain } from '@/app/explain';
import { ROLES, roleName } from '@/features/organization/roles';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Field, Input, Select } from '@/ui/Field';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';
import { addressIn } from './inviteLines';

/** Invites one address with a role. */
export function InviteForm({
  orgId,
  email,
  onEmail,
}: {
  orgId: string;
  /** As typed. */
  email: string;
  onEmail: Dispatch<SetStateAction<string>>;
}) {
  const [role, setRole] = useState<Role>('user');
  const [error, setError] = useState<{ of: string; message: string }>();
  const invite = useInvite(orgId);
  const once = useOnce();
  const latest = useRef(email);
  useEffect(() => {
    latest.current = email;
  }, [email]);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    const address = addressIn(email.trim());
    if (!address) {
      setError({ of: email, message: t`That is no e-mail address.` });
      return;
    }
    // The next address may be typed meanwhile; it is neither cleared nor blamed.
    once(async () => {
      try {
        await invite.mutateAsync({ email: address, role });
        toast('good', t`Invitation sent`, address);
        onEmail((now) => (now === email ? '' : now));
      } catch (failure) {
        const field =
          failure instanceof ApiError ? failure.errors.find((f) => f.field === 'email') : undefined;
        const message = field?.message ?? explain(failure);
        setError({ of: email, message });
        if (latest.current !== email) toast('bad', t`${address} is not invited`, message);
      }
    });
  };
  return (
    <Card className="p-5">
      <form onSubmit={submit} noValidate className="grid items-start gap-4 sm:grid-cols-[1fr_12rem_auto]">
        <Field label={t`Invite by e-mail address`} error={error?.of === email ? error.message : undefined}>
          {(control) => (
            <Input
              {...control}
              // "Ann <ann@example.org>" is taken as well, which a field of type email would mangle.
              type="text"
              inputMode="email"
              autoCapitalize="none"
              spellCheck={false}
              value={email}
              autoComplete="off"
              onChange={(e) => onEmail(e.target.value)}
            />
          )}
        </Field>
        <Field label={t`As`}>
          {(control) => (
            <Select {...control} value={role} onChange={(e) => setRole(e.target.value as Role)}>
              {ROLES.map((one) => (
                <option key={one} value={one}>
                  {roleName(one)}
                </option>
              ))}
            </Select>
          )}
        </Field>
        <Button type="submit" busy={invite.isPending} className="sm:mt-[1.675rem]">
          {t`Invite`}
        </Button>
      </form>
      <p className="mt-3 text-sm text-muted">
        {t`A mail with a link goes there. Only whoever has that address can accept, within 7 days.`}
      </p>
    </Card>
  );
}
