// Organizations, their members and invitations.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from './client';
import { keys } from './keys';
import type { Role } from './types';

const PAGE = 100;

export function useCreateOrganization() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => answer(api.POST('/organizations', { body: { name } })),
    onSuccess: () => cache.invalidateQueries({ queryKey: keys.me }),
  });
}

export function useMembers(orgId: string, enabled = true) {
  return useQuery({
    queryKey: keys.organizations.members(orgId),
    queryFn: ({ signal }) =>
      answer(
        api.GET('/organizations/{id}/members', {
          params: { path: { id: orgId }, query: { limit: PAGE } },
          signal,
        }),
      ),
    enabled,
  });
}

export function useOrgInvites(orgId: string, enabled = true) {
  return useQuery({
    queryKey: keys.organizations.invites(orgId),
    queryFn: ({ signal }) =>
      answer(api.GET('/org-invites', { params: { query: { org_id: orgId, limit: PAGE } }, signal })),
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
