// The bell.
import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from './client';
import { keys } from './keys';

const RECENT = 8;
const PAGE = 30;

/** The newest few with the unread count, for the bell. */
export function useRecentNotifications(enabled: boolean) {
  return useQuery({
    queryKey: keys.notifications.recent,
    queryFn: ({ signal }) =>
      answer(api.GET('/notifications', { params: { query: { limit: RECENT } }, signal })),
    enabled,
  });
}

export function useNotifications(unread: boolean, enabled: boolean) {
  return useInfiniteQuery({
    queryKey: keys.notifications.list(unread),
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/notifications', {
          params: {
            query: {
              ...(unread ? { unread } : {}),
              limit: PAGE,
              ...(pageParam ? { cursor: pageParam } : {}),
            },
          },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    enabled,
  });
}

export function useMarkRead() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async (id: string | 'all') => {
      if (id === 'all') await api.POST('/notifications/read-all');
      else await api.POST('/notifications/{id}/read', { params: { path: { id } } });
    },
    onSettled: () => cache.invalidateQueries({ queryKey: keys.notifications.all }),
  });
}
