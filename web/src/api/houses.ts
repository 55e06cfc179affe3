// How events' seats are laid out. A layout is fetched once for each revision of it.
import { queryOptions, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { House, type HouseSection } from '@/seatmap/house';
import { answer, api } from './client';
import { keys } from './keys';

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
      const { sections } = await answer(api.GET('/events/{id}/layout', { params: { path: { id } }, signal }));
      return sections && new House(sections);
    },
    // Another layout has another revision.
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/**
 * How an event's seats are laid out: null is rows of 20, undefined that it is not
 * known (yet). While another layout is on its way the one before it stays.
 */
export function useHouse(event: Housed | null | undefined): House | null | undefined {
  const laidOut = event && event.layout_revision > 0;
  const { data } = useQuery({
    ...houseDetail(event ?? { id: '', layout_revision: 0 }),
    enabled: Boolean(laidOut),
    placeholderData: (before, query) => (query?.queryKey[1] === event?.id ? before : undefined),
  });
  if (!event) return undefined;
  return laidOut ? data : null;
}

/** Lays the seats out anew; null goes back to rows of 20. A layout that another one has replaced is refused (412). */
export function useArrange(eventId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ sections, revision }: { sections: readonly HouseSection[] | null; revision: number }) =>
      answer(
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
      ),
    onSuccess: ({ sections, layout_revision: revision }) => {
      cache.setQueryData(keys.houses.one(eventId, revision), sections && new House(sections));
      return Promise.all([
        cache.invalidateQueries({ queryKey: keys.events.one(eventId) }),
        cache.invalidateQueries({ queryKey: keys.bookings.all }),
      ]);
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
