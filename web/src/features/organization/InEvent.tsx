import type { ReactNode } from 'react';
import { useEvent } from '@/api/events';
import type { Event, Me } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { PendingScreen } from '@/app/PendingScreen';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { NotYourEvent } from './InOrganization';

/** Shows a part of running an event to those who may, and tells others why not. */
export function InEvent({ id, children }: { id: string; children: (event: Event) => ReactNode }) {
  return (
    <RequireSignIn>
      {(me) => (
        <Load me={me} id={id}>
          {children}
        </Load>
      )}
    </RequireSignIn>
  );
}

function Load({ me, id, children }: { me: Me; id: string; children: (event: Event) => ReactNode }) {
  const { data: event, error, isPending, refetch } = useEvent(id);
  if (isPending) return <PendingScreen />;
  if (!event) return <Failure page error={error} onRetry={() => void refetch()} />;
  if (!event.can_manage) return <NotYourEvent me={me} event={event} />;
  return children(event);
}
