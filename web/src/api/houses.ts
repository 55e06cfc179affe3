// How events' seats are laid out. A layout is fetched once for each revision of it.
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { House, type HouseSection } from '@/seatmap/house';
import { answer, api } from './client';
import { keys } from './keys';
import { ApiError } from './problem';
import { isTransient } from './query';
import type { Event } from './types';

/** A layout that could not be had is asked for again so long after, for as long as somebody looks at it. */
const RETRY_MS = 5_000;

/** What has seats with names: an event, or a booking's event. */
export interface Housed {
  readonly id: string;
  /** 0: rows of 20. */
  readonly layout_revision: number;
}

export function houseDetail({ id, layout_revision: revision }: Housed) {
  return queryOptions({
    queryKey: keys.houses.one(id, revision),
    queryFn: async ({ signal }): Promise<House | null> => {
      const { sections, layout_revision: answered } = await answer(
        api.GET('/events/{id}/layout', { params: { path: { id } }, signal }),
      );
      // It would be kept for good, and edited as the newest.
      if (answered > 0 && answered < revision)
        throw new Error('answered with a layout that has been replaced');
      return sections && new House(sections);
    },
    // Another layout has another revision.
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** What is known of how an event's seats are laid out. */
export interface HouseAnswer {
  /** Null is rows of 20, undefined that it is not known (yet). */
  readonly house: House | null | undefined;
  /** False while the layout before the event's stands in for it. */
  readonly current: boolean;
  readonly error: unknown;
  readonly refetch: () => void;
}

/** How an event's seats are laid out. While another layout is on its way the one before it stays. */
export function useHouseAnswer(event: Housed | null | undefined): HouseAnswer {
  const laidOut = event !== null && event !== undefined && event.layout_revision > 0;
  const { data, error, isPlaceholderData, refetch } = useQuery({
    ...houseDetail(event ?? { id: '', layout_revision: 0 }),
    enabled: laidOut,
    placeholderData: (before, query) => (query?.queryKey[1] === event?.id ? before : undefined),
    refetchInterval: (query) => (query.state.error && isTransient(query.state.error) ? RETRY_MS : false),
  });
  if (!laidOut)
    return { house: event ? null : undefined, current: Boolean(event), error: null, refetch: () => {} };
  return { house: data, current: !isPlaceholderData, error, refetch: () => void refetch() };
}

/** The same for those who only name seats by it. */
export function useHouse(event: Housed | null | undefined): House | null | undefined {
  return useHouseAnswer(event).house;
}

/** Lays the seats out anew; null goes back to rows of 20. A layout that another one has replaced is refused (412). */
export function useArrange(eventId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async ({
      sections,
      revision,
    }: {
      sections: readonly HouseSection[] | null;
      revision: number;
    }) => {
      const laid = await answer(
        api.PUT('/events/{id}/layout', {
          params: { path: { id: eventId }, header: { 'If-Match': `"${revision}"` } },
          body: {
            sections:
              sections?.map(({ name, rows }) => ({
                name,
                rows: rows.map((row) => ({ ...row, first: row.first ?? 1 })),
              })) ?? null,
          },
        }),
      );
      return { house: laid.sections && new House(laid.sections), laid };
    },
    onSuccess: ({ house, laid: { layout_revision, total_slots } }) => {
      cache.setQueryData(keys.houses.one(eventId, layout_revision), house);
      // Whoever edits on is not told that somebody else has laid it out.
      cache.setQueryData<Event>(
        keys.events.one(eventId),
        (event) => event && { ...event, layout_revision, total_slots },
      );
      return Promise.all([
        cache.invalidateQueries({ queryKey: keys.events.one(eventId) }),
        cache.invalidateQueries({ queryKey: keys.bookings.all }),
      ]);
    },
    onError: (error) => {
      // Somebody else's layout is to be seen, although nobody may have told of it.
      if (error instanceof ApiError && error.status === 412)
        void cache.invalidateQueries({ queryKey: keys.events.one(eventId), exact: true });
    },
  });
}

/** Changes which seats are off sale, beginning with those that are when it is sent. */
export function useBlock(eventId: string) {
  const cache = useQueryClient();
  const params = { path: { id: eventId } };
  return useMutation({
    mutationFn: async (listAfter: (now: readonly number[]) => number[]) => {
      const now = await answer(api.GET('/events/{id}/blocks', { params }));
      return answer(
        api.PUT('/events/{id}/blocks', {
          params,
          body: { seat_numbers: listAfter(now.seat_numbers ?? []) },
        }),
      );
    },
    onSuccess: () => cache.invalidateQueries({ queryKey: keys.events.one(eventId) }),
  });
}
