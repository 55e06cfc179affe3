// The record of who did what: of an organization, and of one event.
import { useInfiniteQuery } from '@tanstack/react-query';
import { answer, api } from './client';
import { type AuditFilter, keys } from './keys';

const PAGE = 50;

export function useOrgAudit(orgId: string, filter: AuditFilter) {
  return useInfiniteQuery({
    queryKey: keys.organizations.audit(orgId, filter),
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/organizations/{id}/audit', {
          params: {
            path: { id: orgId },
            query: { ...given(filter), limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}) },
          },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: (previous) => previous,
  });
}

export function useEventAudit(eventId: string) {
  return useInfiniteQuery({
    queryKey: keys.events.audit(eventId),
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/events/{id}/audit', {
          params: {
            path: { id: eventId },
            query: { limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}) },
          },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
}

/** Where the browser downloads the filtered record from. */
export function auditExportUrl(orgId: string, filter: AuditFilter, format: 'csv' | 'json'): string {
  const query = new URLSearchParams({ format, ...given(filter) });
  return `/api/organizations/${orgId}/audit/export?${query}`;
}

function given(filter: AuditFilter): Record<string, string> {
  return Object.fromEntries(
    Object.entries(filter).filter(([, value]) => value !== undefined && value !== ''),
  );
}
