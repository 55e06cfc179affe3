import { t } from '@lingui/core/macro';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { useEvent } from '@/api/events';
import { useHouse } from '@/api/houses';
import type { Event, Me } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { PendingScreen } from '@/app/PendingScreen';
import { useTitle } from '@/app/title';
import { RequireSignIn } from '@/features/account/RequireSignIn';
import { useSeats } from '@/features/event/useSeats';
import { NotYourEvent } from '@/features/organization/InOrganization';
import { useEventChannel, useRefreshEvent } from '@/realtime/hooks';
import { BackLink, PageHeader } from '@/ui/PageHeader';
import { Tabs } from '@/ui/Tabs';
import { LayoutEditor } from './LayoutEditor';
import { OffSaleEditor } from './OffSaleEditor';

const route = getRouteApi('/manage/events/$eventId/seats');

/** How an event's seats lie, and which are off sale. */
export function HousePage() {
  const { eventId } = route.useParams();
  return <RequireSignIn>{(me) => <Load me={me} id={eventId} />}</RequireSignIn>;
}

function Load({ me, id }: { me: Me; id: string }) {
  const { data: event, error, isPending, refetch } = useEvent(id);
  if (isPending) return <PendingScreen />;
  if (!event) return <Failure page error={error} onRetry={() => void refetch()} />;
  if (!event.can_manage) return <NotYourEvent me={me} event={event} />;
  return <Seats event={event} />;
}

function Seats({ event }: { event: Event }) {
  useTitle(t`Seats of ${event.name}`);
  const [tab, setTab] = useState<'layout' | 'offSale'>('layout');
  const house = useHouse(event);
  const { seats } = useSeats(event.id, event.total_slots);
  const refresh = useRefreshEvent(event.id);
  useEventChannel(event.id, { onEvent: refresh, onFresh: refresh });
  return (
    <div className="page">
      <PageHeader
        back={
          <BackLink to="/manage/events/$eventId" params={{ eventId: event.id }}>
            {event.name}
          </BackLink>
        }
        title={t`Seats`}
        lead={t`How they lie in sections and rows, and which are off sale.`}
      />
      {house === undefined || !seats ? (
        <PendingScreen />
      ) : (
        <Tabs
          label={t`Layout and seats off sale`}
          value={tab}
          onChange={setTab}
          items={[
            {
              key: 'layout',
              label: t`Layout`,
              content: <LayoutEditor event={event} house={house} states={seats.states} />,
            },
            {
              key: 'offSale',
              label: t`Off sale`,
              content: <OffSaleEditor event={event} house={house} seats={seats} />,
            },
          ]}
        />
      )}
    </div>
  );
}
