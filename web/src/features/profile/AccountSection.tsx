import { t } from '@lingui/core/macro';
import { Link } from '@tanstack/react-router';
import { BadgeCheck, ExternalLink, MailWarning } from 'lucide-react';
import { type FormEvent, useState } from 'react';
import { useMyOrganizations } from '@/api/organizations';
import { ApiError } from '@/api/problem';
import { useOwnProvider, useRename } from '@/api/profile';
import type { Me } from '@/api/types';
import { explain } from '@/app/explain';
import { OrgMark } from '@/features/organization/OrgMark';
import { roleName } from '@/features/organization/roles';
import { Badge } from '@/ui/Badge';
import { Button, ButtonLink, buttonClass } from '@/ui/Button';
import { Field, Input } from '@/ui/Field';
import { LeaveGuard } from '@/ui/LeaveGuard';
import { Panel } from '@/ui/Panel';
import { toast } from '@/ui/toast';
import { useOnce } from '@/ui/useOnce';

/** The server takes as many characters. */
const MAX_NAME = 200;

/** Who one is here: name, address, password, and where one belongs. */
export function AccountSection({ me }: { me: Me }) {
  return (
    <>
      <NamePanel me={me} />
      <AddressPanel me={me} />
      <PasswordPanel />
      <PlacesPanel me={me} />
    </>
  );
}

function NamePanel({ me }: { me: Me }) {
  const [name, setName] = useState(me.name);
  const [error, setError] = useState<string>();
  const rename = useRename();
  const once = useOnce();
  const changed = name.trim() !== me.name;
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (name.trim() === '') {
      setError(t`Enter a name by which others know you.`);
      return;
    }
    once(async () => {
      try {
        const now = await rename.mutateAsync(name.trim());
        setName((typed) => (typed === name ? now.name : typed));
        toast('good', t`You are now called ${now.name}`);
      } catch (failure) {
        const field =
          failure instanceof ApiError ? failure.errors.find((f) => f.field === 'name') : undefined;
        setError(field?.message ?? explain(failure));
      }
    });
  };
  return (
    <Panel title={t`Your name`}>
      <form onSubmit={submit} noValidate className="flex flex-wrap items-start gap-3">
        <Field
          className="min-w-0 flex-1 basis-64"
          label={t`Name`}
          error={error}
          hint={t`Organizers see it with your bookings, and members of your organizations see it, too.`}
        >
          {(control) => (
            <Input
              {...control}
              value={name}
              maxLength={MAX_NAME}
              autoComplete="name"
              onChange={(e) => {
                setName(e.target.value);
                setError(undefined);
              }}
            />
          )}
        </Field>
        <Button type="submit" busy={rename.isPending} disabled={!changed} className="sm:mt-[1.675rem]">
          {t`Save name`}
        </Button>
      </form>
      <LeaveGuard dirty={changed} />
    </Panel>
  );
}

function AddressPanel({ me }: { me: Me }) {
  const { data: own } = useOwnProvider();
  return (
    <Panel
      title={
        <>
          {t`Email address`}
          {me.email_verified ? (
            <Badge tone="good" icon={<BadgeCheck aria-hidden="true" className="size-3.5" />}>
              {t`Confirmed`}
            </Badge>
          ) : (
            <Badge tone="warn" icon={<MailWarning aria-hidden="true" className="size-3.5" />}>
              {t`Not confirmed`}
            </Badge>
          )}
        </>
      }
      lead={
        own
          ? t`Your account is bound to this address: with it you sign in, and mails and invitations go there. To use another address, create an account with that one.`
          : t`It comes from the service that you sign in with. Change it there; we follow the next time that you sign in.`
      }
    >
      <p className="rounded-md bg-sunken px-3 py-2.5 text-sm font-medium wrap-anywhere">{me.email}</p>
      {me.email_verified ? null : (
        <p className="text-sm text-muted">
          {t`Follow the link in the mail that you got when you signed up. Until then no invitation reaches you.`}
        </p>
      )}
    </Panel>
  );
}

function PasswordPanel() {
  const { data: own } = useOwnProvider();
  if (own === undefined) return null;
  if (!own) {
    return (
      <Panel
        title={t`Password`}
        lead={t`We don't know it: it stays with the service that you sign in with, and is changed there.`}
      />
    );
  }
  return (
    <Panel
      title={t`Password`}
      lead={t`After a change you are signed out on all devices and sign in with the new one.`}
    >
      <a href="/idp/password" className={buttonClass('secondary')}>
        {t`Change password`}
        <ExternalLink aria-hidden="true" className="size-4" />
      </a>
    </Panel>
  );
}

function PlacesPanel({ me }: { me: Me }) {
  const orgs = me.organizations;
  const marks = useMyOrganizations(orgs.length > 0).data?.items;
  if (orgs.length === 0) return null;
  return (
    <Panel title={t`Your organizations`}>
      <ul className="-my-3 divide-y divide-line">
        {orgs.map((org) => (
          <li key={org.id} className="flex items-center gap-3 py-3">
            <OrgMark org={marks?.find(({ id }) => id === org.id) ?? org} />
            <div className="min-w-0 flex-1">
              <Link
                to="/organizations/$orgId"
                params={{ orgId: org.id }}
                className="rounded-sm text-sm font-semibold wrap-anywhere underline-offset-4 hover:underline"
              >
                {org.name}
              </Link>
              <p className="text-sm text-muted">{roleName(org.role)}</p>
            </div>
            <ButtonLink to="/manage/$orgId/people" params={{ orgId: org.id }} look="ghost" size="sm">
              {t`People`}
            </ButtonLink>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
