// Events: reading, searching, and what organizers do with them.
import {
  infiniteQueryOptions,
  queryOptions,
  useInfiniteQuery,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { answer, api } from './client';
import { type EventFilter, keys } from './keys';
import type { Event, EventChange, EventInput } from './types';

const PAGE = 24;

export function eventList(filter: EventFilter) {
  return infiniteQueryOptions({
    queryKey: keys.events.list(filter),
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/events', {
          params: { query: { ...filter, limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

export function useEventList(filter: EventFilter, enabled = true) {
  return useInfiniteQuery({ ...eventList(filter), enabled, placeholderData: (previous) => previous });
}

export function eventDetail(id: string) {
  return queryOptions({
    queryKey: keys.events.one(id),
    queryFn: ({ signal }) => answer(api.GET('/events/{id}', { params: { path: { id } }, signal })),
  });
}

export function useEvent(id: string) {
  return useQuery(eventDetail(id));
}

export function useEventBookings(id: string, status: 'confirmed' | 'cancelled') {
  return useInfiniteQuery({
    queryKey: keys.events.bookings(id, status),
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/events/{id}/bookings', {
          params: { path: { id }, query: { status, limit: 50, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

export function useWaitlist(id: string) {
  return useInfiniteQuery({
    queryKey: keys.events.waitlist(id),
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/events/{id}/waitlist', {
          params: { path: { id }, query: { limit: 50, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

export function useCreateEvent() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (body: EventInput) => answer(api.POST('/events', { body })),
    onSuccess: (event) => remember(cache, event),
  });
}

export function useChangeEvent(id: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ change, revision }: { change: EventChange; revision: number }) =>
      answer(
        api.PUT('/events/{id}', {
          params: { path: { id }, header: { 'If-Match': `"${revision}"` } },
          body: change,
        }),
      ),
    onSuccess: (event) => remember(cache, event),
  });
}

export function useCancelEvent(id: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: () => answer(api.POST('/events/{id}/cancel', { params: { path: { id } } })),
    onSuccess: (event) => remember(cache, event),
  });
}

export function useDeleteEvent(id: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async () => {
      await api.DELETE('/events/{id}', { params: { path: { id } } });
    },
    onSuccess: async () => {
      cache.removeQueries({ queryKey: keys.events.one(id) });
      await cache.invalidateQueries({ queryKey: keys.events.all });
    },
  });
}

type Cache = ReturnType<typeof useQueryClient>;

function remember(cache: Cache, event: Event): Promise<void> {
  cache.setQueryData(keys.events.one(event.id), event);
  return cache.invalidateQueries({ queryKey: ['events', 'list'] });
}
