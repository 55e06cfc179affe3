import { t } from '@lingui/core/macro';
import { useQueryClient } from '@tanstack/react-query';
import { getRouteApi } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';
import { useEvent } from '@/api/events';
import { keys } from '@/api/keys';
import type { Event } from '@/api/types';
import { Failure } from '@/app/ErrorScreen';
import { useTitle } from '@/app/title';
import { useEventChannel } from '@/realtime/hooks';
import { Loading, Skeleton } from '@/ui/Skeleton';
import { Description } from './Description';
import { EventHeader } from './EventHeader';

const route = getRouteApi('/events/$eventId');
const SeatPicker = lazy(() => import('./SeatPicker').then((m) => ({ default: m.SeatPicker })));

/** What an event is, and getting seats at it. */
export function EventPage() {
  const { eventId } = route.useParams();
  const { data: event, error, isPending, refetch } = useEvent(eventId);
  if (isPending) return <EventSkeleton />;
  if (!event) return <Failure page error={error} onRetry={() => void refetch()} />;
  return <LiveEvent key={event.id} event={event} />;
}

function LiveEvent({ event }: { event: Event }) {
  const cache = useQueryClient();
  const [viewers, setViewers] = useState<number | null>(null);
  const refresh = () => void cache.invalidateQueries({ queryKey: keys.events.one(event.id), exact: true });
  useEventChannel(event.id, {
    onViewers: setViewers,
    onEvent: refresh,
    onFresh: refresh,
    onEnded: refresh,
    onSales: ({ available, waiting }) =>
      cache.setQueryData<Event>(keys.events.one(event.id), (known) =>
        known ? { ...known, available_slots: available, waiting_parties: waiting } : known,
      ),
  });
  useTitle(event.name);
  return (
    <article className="page pt-6 sm:pt-8">
      <EventHeader event={event} viewers={viewers} />
      <div className="mt-8">
        <Suspense fallback={<PickerSkeleton />}>
          <SeatPicker event={event} />
        </Suspense>
      </div>
      {event.description.trim() ? (
        <section className="mt-12 max-w-3xl">
          <h2 className="mb-3 text-xl font-bold">{t`About this event`}</h2>
          <Description text={event.description} />
        </section>
      ) : null}
    </article>
  );
}

function PickerSkeleton() {
  return (
    <Loading className="grid gap-6 lg:grid-cols-[1fr_22rem]">
      <Skeleton className="h-[26rem] rounded-xl" />
      <Skeleton className="h-60 rounded-xl" />
    </Loading>
  );
}

function EventSkeleton() {
  return (
    <div className="page pt-6 sm:pt-8">
      <Loading className="grid gap-8 md:grid-cols-[22rem_1fr]">
        <Skeleton className="aspect-[16/9] rounded-2xl" />
        <div className="space-y-4">
          <Skeleton className="h-10 w-4/5" />
          <Skeleton className="h-5 w-1/2" />
          <Skeleton className="h-5 w-2/5" />
        </div>
      </Loading>
      <div className="mt-8">
        <PickerSkeleton />
      </div>
    </div>
  );
}
