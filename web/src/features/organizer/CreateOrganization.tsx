import { t } from '@lingui/core/macro';
import { type FormEvent, useState } from 'react';
import { useCreateOrganization } from '@/api/organizations';
import { ApiError } from '@/api/problem';
import { explain } from '@/app/explain';
import { Button } from '@/ui/Button';
import { Card } from '@/ui/Card';
import { Dialog } from '@/ui/Dialog';
import { Field, Input } from '@/ui/Field';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';

/** The organizer's screen before there is anything to organize. */
export function CreateOrganization() {
  return (
    <div className="page max-w-xl! pt-10 sm:pt-16">
      <h1 className="text-2xl font-bold">{t`Run your own events`}</h1>
      <p className="mt-2 text-muted">
        {t`Events belong to an organization: a club, a theatre, a company, or just you. You can invite others to run it with you.`}
      </p>
      <Card className="mt-6 p-6">
        <OrganizationForm />
      </Card>
    </div>
  );
}

export function CreateOrganizationDialog({
  open,
  onOpenChange,
  onCreated,
}: {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onCreated: (id: string) => void;
}) {
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={t`Found an organization`}
      description={t`You become its administrator and can invite others to run it with you.`}
    >
      <OrganizationForm
        onDone={(id) => {
          onOpenChange(false);
          onCreated(id);
        }}
      />
    </Dialog>
  );
}

function OrganizationForm({ onDone }: { onDone?: (id: string) => void }) {
  const [name, setName] = useState('');
  const [error, setError] = useState<string>();
  const create = useCreateOrganization();
  const once = useOnce();
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (name.trim() === '') {
      setError(t`Give it a name.`);
      return;
    }
    once(async () => {
      try {
        const org = await create.mutateAsync(name.trim());
        toast('good', t`${org.name} is ready`);
        onDone?.(org.id);
      } catch (e2) {
        const field = e2 instanceof ApiError ? e2.errors.find((f) => f.field === 'name') : undefined;
        setError(field?.message ?? explain(e2));
      }
    });
  };
  return (
    <form onSubmit={submit} noValidate className="space-y-5">
      <Field label={t`Name of the organization`} error={error}>
        {(control) => (
          <Input
            {...control}
            value={name}
            maxLength={200}
            autoComplete="organization"
            onChange={(e) => {
              setName(e.target.value);
              setError(undefined);
            }}
          />
        )}
      </Field>
      <Button type="submit" busy={create.isPending} className="w-full">
        {t`Create organization`}
      </Button>
    </form>
  );
}
