import { t } from '@lingui/core/macro';
import { getRouteApi } from '@tanstack/react-router';
import { useState } from 'react';
import { useHouseAnswer } from '@/api/houses';
import type { Event } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { PendingScreen } from '@/app/PendingScreen';
import { useTitle } from '@/app/title';
import { useSeats } from '@/features/event/useSeats';
import { InEvent } from '@/features/organization/InEvent';
import { useEventChannel, useRefreshEvent } from '@/realtime/hooks';
import { LeaveGuard } from '@/ui/LeaveGuard';
import { BackLink, PageHeader } from '@/ui/PageHeader';
import { Tabs } from '@/ui/Tabs';
import { LayoutEditor } from './LayoutEditor';
import { OffSaleEditor } from './OffSaleEditor';
import { useLayoutDraft } from './useLayoutDraft';
import { useOffSale } from './useOffSale';

const route = getRouteApi('/manage/events/$eventId/seats');

/** How an event's seats lie, and which are off sale. */
export function HousePage() {
  const { eventId } = route.useParams();
  return <InEvent id={eventId}>{(event) => <Seats key={event.id} event={event} />}</InEvent>;
}

const NO_SEATS = new Uint8Array();

// What is not saved lives here and not in the editors, of which only the one that
// is looked at is there: looking at the other one takes nothing away.
function Seats({ event }: { event: Event }) {
  useTitle(t`Seats of ${event.name}`);
  const [tab, setTab] = useState<'layout' | 'offSale'>('layout');
  const house = useHouseAnswer(event);
  const { seats, error, refetch } = useSeats(event.id, event.total_slots);
  const refresh = useRefreshEvent(event.id);
  useEventChannel(event.id, { onEvent: refresh, onFresh: refresh });
  const layout = useLayoutDraft(event, house);
  const offSale = useOffSale(event, seats?.states ?? NO_SEATS, refetch);
  const again = () => {
    house.refetch();
    void refetch();
  };
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
      {layout && seats && house.house !== undefined ? (
        <Tabs
          label={t`Layout and seats off sale`}
          value={tab}
          onChange={setTab}
          items={[
            {
              key: 'layout',
              label: t`Layout`,
              content: <LayoutEditor event={event} layout={layout} states={seats.states} />,
            },
            {
              key: 'offSale',
              label: t`Off sale`,
              content: <OffSaleEditor event={event} house={house.house} seats={seats} offSale={offSale} />,
            },
          ]}
        />
      ) : (error ?? house.error) ? (
        <Failure error={error ?? house.error} onRetry={again} />
      ) : (
        <PendingScreen />
      )}
      <LeaveGuard dirty={Boolean(layout?.dirty) || offSale.dirty} />
    </div>
  );
}
