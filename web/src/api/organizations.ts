// Organizations, their members and invitations.
import { queryOptions, useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from './client';
import { inviteBatches } from './inviteBatches';
import { keys, type MemberFilter } from './keys';
import type { InviteOutcome, Organization, OrganizationChange, Role } from './types';

const PAGE = 100;
const MEMBERS_PAGE = 50;

export function useCreateOrganization() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => answer(api.POST('/organizations', { body: { name } })),
    onSuccess: () =>
      Promise.all([
        cache.invalidateQueries({ queryKey: keys.me }),
        cache.invalidateQueries({ queryKey: keys.organizations.mine }),
      ]),
  });
}

export function organizationDetail(id: string) {
  return queryOptions({
    queryKey: keys.organizations.one(id),
    queryFn: ({ signal }) => answer(api.GET('/organizations/{id}', { params: { path: { id } }, signal })),
  });
}

const MINE_STALE_MS = 60_000;

/** One's own organizations with their logos, which `me` does not have. */
export function useMyOrganizations(enabled: boolean) {
  return useQuery({
    queryKey: keys.organizations.mine,
    queryFn: ({ signal }) =>
      answer(api.GET('/organizations', { params: { query: { limit: PAGE } }, signal })),
    staleTime: MINE_STALE_MS,
    enabled,
  });
}

/** What an organization shows to everybody. */
export function useOrganization(id: string, enabled = true) {
  return useQuery({ ...organizationDetail(id), enabled });
}

export function useChangeOrganization(id: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ change, revision }: { change: OrganizationChange; revision: number }) =>
      answer(
        api.PUT('/organizations/{id}', {
          params: { path: { id }, header: { 'If-Match': `"${revision}"` } },
          body: change,
        }),
      ),
    onSuccess: (org) => renew(cache, org),
  });
}

/** Uploads a logo; the organization's address of it changes. */
export function usePutLogo(id: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async (image: Blob) => {
      await api.PUT('/organizations/{id}/logo', {
        params: { path: { id } },
        // The document calls raw bytes a string.
        body: '',
        bodySerializer: () => image,
        headers: { 'Content-Type': image.type },
      });
    },
    onSettled: () => logoChanged(cache, id),
  });
}

export function useDeleteLogo(id: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async () => {
      await api.DELETE('/organizations/{id}/logo', { params: { path: { id } } });
    },
    onSettled: () => logoChanged(cache, id),
  });
}

/** Deletes an empty organization. Who calls goes elsewhere and then forgets it. */
export function useDeleteOrganization(id: string) {
  return useMutation({
    mutationFn: async () => {
      await api.DELETE('/organizations/{id}', { params: { path: { id } } });
    },
  });
}

/** Drops what was known of an organization to which one no longer belongs. */
export function useForgetOrganization(): (id: string) => Promise<void> {
  const cache = useQueryClient();
  return async (id) => {
    cache.removeQueries({ queryKey: keys.organizations.of(id) });
    await Promise.all([
      cache.invalidateQueries({ queryKey: keys.organizations.mine }),
      cache.invalidateQueries({ queryKey: keys.me }),
      cache.invalidateQueries({ queryKey: keys.events.all }),
    ]);
  };
}

export function useMembers(orgId: string, filter: MemberFilter = {}, enabled = true) {
  return useInfiniteQuery({
    queryKey: keys.organizations.membersBy(orgId, filter),
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/organizations/{id}/members', {
          params: {
            path: { id: orgId },
            query: {
              ...(filter.q ? { q: filter.q } : {}),
              ...(filter.role ? { role: filter.role } : {}),
              limit: MEMBERS_PAGE,
              ...(pageParam ? { cursor: pageParam } : {}),
            },
          },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: (previous) => previous,
    enabled,
  });
}

export function useChangeRole(orgId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ userId, role }: { userId: string; role: Role }) =>
      answer(
        api.PUT('/organizations/{id}/members/{userId}', {
          params: { path: { id: orgId, userId } },
          body: { role },
        }),
      ),
    onSettled: () => membersChanged(cache, orgId),
  });
}

export function useRemoveMember(orgId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async (userId: string) => {
      await api.DELETE('/organizations/{id}/members/{userId}', {
        params: { path: { id: orgId, userId } },
      });
    },
    onSettled: () => membersChanged(cache, orgId),
  });
}

/** Leaves an organization. Who calls goes elsewhere and then forgets it. */
export function useLeaveOrganization(orgId: string) {
  return useMutation({
    mutationFn: async (userId: string) => {
      await api.DELETE('/organizations/{id}/members/{userId}', {
        params: { path: { id: orgId, userId } },
      });
    },
  });
}

export function useOrgInvites(orgId: string, enabled = true) {
  return useInfiniteQuery({
    queryKey: keys.organizations.invites(orgId),
    queryFn: ({ pageParam, signal }) =>
      answer(
        api.GET('/org-invites', {
          params: { query: { org_id: orgId, limit: PAGE, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: '',
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    enabled,
  });
}

export function useInvite(orgId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ email, role }: { email: string; role: Role }) =>
      answer(api.POST('/org-invites', { body: { org_id: orgId, email, role } })),
    onSuccess: () => cache.invalidateQueries({ queryKey: keys.organizations.invites(orgId) }),
  });
}

interface InviteMany {
  readonly list: readonly { email: string; role: Role }[];
  /** Hears how many lines were sent so far. */
  readonly onProgress?: (sent: number) => void;
}

/**
 * Invites many, call after call, and answers in the order of the list. What was
 * answered before a call failed is not lost: the lines without an answer are
 * null, and nothing more is sent.
 */
export function useInviteMany(orgId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async ({ list, onProgress }: InviteMany) => {
      const outcomes: (InviteOutcome | null)[] = list.map(() => null);
      let sent = 0;
      for (const { role, at } of inviteBatches(list)) {
        const emails = at.map((i) => list[i]?.email ?? '');
        try {
          const { results } = await answer(
            api.POST('/org-invites/batch', { body: { org_id: orgId, role, emails } }),
          );
          results.forEach((result, n) => {
            const i = at[n];
            if (i !== undefined) outcomes[i] = result;
          });
        } catch (error) {
          if (sent === 0) throw error;
          break;
        }
        sent += at.length;
        onProgress?.(sent);
      }
      return outcomes;
    },
    onSettled: () => cache.invalidateQueries({ queryKey: keys.organizations.invites(orgId) }),
  });
}

export function useResendInvite(orgId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => answer(api.POST('/org-invites/{id}/resend', { params: { path: { id } } })),
    onSettled: () => cache.invalidateQueries({ queryKey: keys.organizations.invites(orgId) }),
  });
}

export function useRevokeInvite(orgId: string) {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async (id: string) => {
      await api.DELETE('/org-invites/{id}', { params: { path: { id } } });
    },
    onSettled: () => cache.invalidateQueries({ queryKey: keys.organizations.invites(orgId) }),
  });
}

/** Invitations to the person signed in. */
export function useMyInvites(enabled: boolean) {
  return useQuery({
    queryKey: keys.invites,
    queryFn: ({ signal }) => answer(api.GET('/org-invites', { params: { query: { limit: PAGE } }, signal })),
    enabled,
  });
}

/** The invitation to which a mailed link leads; it takes somebody signed in, whoever it is. */
export function useInviteByToken(token: string | undefined) {
  return useQuery({
    queryKey: keys.inviteByToken(token ?? ''),
    queryFn: ({ signal }) =>
      answer(api.GET('/org-invites/by-token', { params: { query: { token: token ?? '' } }, signal })),
    enabled: token !== undefined,
  });
}

export function useAnswerInvite() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: ({ id, accept }: { id: string; accept: boolean }) =>
      answer(
        accept
          ? api.POST('/org-invites/{id}/accept', { params: { path: { id } } })
          : api.POST('/org-invites/{id}/reject', { params: { path: { id } } }),
      ),
    onSettled: () =>
      Promise.all([
        cache.invalidateQueries({ queryKey: keys.invites }),
        cache.invalidateQueries({ queryKey: keys.me }),
        cache.invalidateQueries({ queryKey: keys.events.all }),
      ]),
  });
}

type Cache = ReturnType<typeof useQueryClient>;

// One's own role may be among what changed, and the record tells of it.
function membersChanged(cache: Cache, orgId: string): Promise<unknown> {
  return Promise.all([
    cache.invalidateQueries({ queryKey: keys.organizations.of(orgId) }),
    cache.invalidateQueries({ queryKey: keys.me }),
  ]);
}

function logoChanged(cache: Cache, id: string): Promise<unknown> {
  return Promise.all([
    cache.invalidateQueries({ queryKey: keys.organizations.one(id) }),
    cache.invalidateQueries({ queryKey: keys.organizations.mine }),
  ]);
}

// The name stands in lists of one's organizations and at every event.
function renew(cache: Cache, org: Organization): Promise<unknown> {
  cache.setQueryData(keys.organizations.one(org.id), org);
  return Promise.all([
    cache.invalidateQueries({ queryKey: keys.me }),
    cache.invalidateQueries({ queryKey: keys.organizations.mine }),
    cache.invalidateQueries({ queryKey: keys.events.all }),
  ]);
}
