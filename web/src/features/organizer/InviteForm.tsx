import { t } from '@lingui/core/macro';
import { type FormEvent, useState } from 'react';
import { useInvite } from '@/api/organizations';
import { ApiError } from '@/api/problem';
import type { Role } from '@/api/types';
import { explain } from '@/app/explain';
import { ROLES, roleName } from '@/features/organization/roles';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Field, Input, Select } from '@/ui/Field';
import { toast } from '@/ui/toast';
import { isAddress } from './inviteLines';

/** Invites one address with a role. */
export function InviteForm({ orgId }: { orgId: string }) {
  const [email, setEmail] = useState('');
  const [role, setRole] = useState<Role>('user');
  const [error, setError] = useState<string>();
  const invite = useInvite(orgId);
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (!isAddress(email.trim())) {
      setError(t`That is no e-mail address.`);
      return;
    }
    invite.mutate(
      { email: email.trim(), role },
      {
        onSuccess: () => {
          toast('good', t`Invitation sent`, email.trim());
          setEmail('');
        },
        onError: (failure) => {
          const field =
            failure instanceof ApiError ? failure.errors.find((f) => f.field === 'email') : undefined;
          setError(field?.message ?? explain(failure));
        },
      },
    );
  };
  return (
    <Card className="p-5">
      <form onSubmit={submit} noValidate className="grid items-start gap-4 sm:grid-cols-[1fr_12rem_auto]">
        <Field label={t`Invite by e-mail address`} error={error}>
          {(control) => (
            <Input
              {...control}
              type="email"
              value={email}
              autoComplete="off"
              onChange={(e) => {
                setEmail(e.target.value);
                setError(undefined);
              }}
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
