import { t } from '@lingui/core/macro';
import { ShieldX } from 'lucide-react';
import { type ReactNode, useEffect, useState } from 'react';
import { useMeQuery } from '@/api/me';
import { useMyInvites, useOrganization } from '@/api/organizations';
import { isNotFound } from '@/api/problem';
import type { Event, Me, Role } from '@/api/types';
import { Failure, NotFoundScreen } from '@/app/ErrorScreen';
import { PendingScreen } from '@/app/PendingScreen';
import { useTitle } from '@/app/title';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { ButtonLink } from '@/ui/Button';
import { EmptyState } from '@/ui/EmptyState';
import { type Membership, rememberOrg } from './current';
import { atLeast, roleFor, roleName, type Section } from './roles';

/** Shows a part of running an organization to those whose role allows it, and tells others why not. */
export function InOrganization({
  orgId,
  section,
  children,
}: {
  orgId: string;
  section: Section;
  children: (me: Me, org: Membership) => ReactNode;
}) {
  return (
    <RequireSignIn>
      {(me) => (
        <Gate me={me} orgId={orgId} section={section}>
          {children}
        </Gate>
      )}
    </RequireSignIn>
  );
}

/** The same for a screen that knows already who is signed in. */
export function Gate({
  me,
  orgId,
  section,
  children,
}: {
  me: Me;
  orgId: string;
  section: Section;
  children: (me: Me, org: Membership) => ReactNode;
}) {
  const org = me.organizations.find((o) => o.id === orgId);
  const allowed = org !== undefined && atLeast(org.role, roleFor(section));
  useEffect(() => {
    if (allowed) rememberOrg(me.id, orgId);
  }, [allowed, me.id, orgId]);
  if (allowed) return children(me, org);
  return <Denied key={orgId} orgId={orgId} membership={org} needs={roleFor(section)} />;
}

/** The same words to who may see an event but not run it, with a way to its page. */
export function NotYourEvent({ me, event }: { me: Me; event: Event }) {
  return (
    <Denied
      orgId={event.org_id}
      membership={me.organizations.find((org) => org.id === event.org_id)}
      needs={roleFor('events')}
      eventId={event.id}
    />
  );
}

/** What was read of oneself counts as current for this long. */
const FRESH_MS = 3000;

// A role may have been given a moment ago: before anybody is sent away, the
// server is asked once more.
function useCertain(): boolean {
  const { dataUpdatedAt, refetch } = useMeQuery();
  const [certain, setCertain] = useState(() => Date.now() - dataUpdatedAt < FRESH_MS);
  useEffect(() => {
    if (!certain) void refetch({ cancelRefetch: false }).finally(() => setCertain(true));
  }, [certain, refetch]);
  return certain;
}

function Denied({
  orgId,
  membership,
  needs,
  eventId,
}: {
  orgId: string;
  membership: Membership | undefined;
  needs: Role;
  eventId?: string;
}) {
  const certain = useCertain();
  if (!certain) return <PendingScreen />;
  return membership ? (
    <TooLittle org={membership} needs={needs} eventId={eventId} />
  ) : (
    <ForMembers orgId={orgId} eventId={eventId} />
  );
}

function TooLittle({ org, needs, eventId }: { org: Membership; needs: Role; eventId: string | undefined }) {
  const title = needs === 'orgAdmin' ? t`This is for administrators` : t`This is for organizers`;
  useTitle(title);
  const role = roleName(org.role);
  return (
    <div className="page py-10">
      <EmptyState
        page
        icon={ShieldX}
        title={title}
        action={
          <>
            {eventId === undefined ? (
              <ButtonLink to="/organizations/$orgId" params={{ orgId: org.id }}>
                {t`See what is on`}
              </ButtonLink>
            ) : (
              <SeeEvent id={eventId} />
            )}
            <ButtonLink to="/manage/$orgId/people" params={{ orgId: org.id }} look="secondary">
              {t`See its people`}
            </ButtonLink>
          </>
        }
      >
        {t`Your role in ${org.name} is: ${role}. Its administrators can give you another one.`}
      </EmptyState>
    </div>
  );
}

// That an organization exists is no secret; what is inside is.
function ForMembers({ orgId, eventId }: { orgId: string; eventId: string | undefined }) {
  const known = isId(orgId);
  const { data: org, error, isPending, refetch } = useOrganization(orgId, known);
  if (!known || isNotFound(error)) return <NotFoundScreen />;
  if (isPending) return <PendingScreen />;
  if (!org) return <Failure page error={error} onRetry={() => void refetch()} />;
  return <NotAMember orgId={org.id} name={org.name} eventId={eventId} />;
}

function SeeEvent({ id }: { id: string }) {
  return <ButtonLink to="/events/$eventId" params={{ eventId: id }}>{t`See the event`}</ButtonLink>;
}

function NotAMember({ orgId, name, eventId }: { orgId: string; name: string; eventId: string | undefined }) {
  const title = t`This is for members of ${name}`;
  useTitle(title);
  const invited = useMyInvites(true).data?.items.some((invite) => invite.org_id === orgId) ?? false;
  return (
    <div className="page py-10">
      <EmptyState
        page
        icon={ShieldX}
        title={title}
        action={
          <>
            {eventId === undefined ? null : <SeeEvent id={eventId} />}
            {invited ? <ButtonLink to="/invites">{t`See your invitation`}</ButtonLink> : null}
            <ButtonLink
              to="/organizations/$orgId"
              params={{ orgId }}
              look={invited || eventId !== undefined ? 'secondary' : 'primary'}
            >
              {t`See its public page`}
            </ButtonLink>
          </>
        }
      >
        {invited
          ? t`You are invited. Once you accept, this opens.`
          : t`Its administrators can invite you by your e-mail address.`}
      </EmptyState>
    </div>
  );
}

/** Whether a piece of an address can name anything at all. */
export function isId(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
