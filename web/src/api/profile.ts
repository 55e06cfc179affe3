// What one may read and change about oneself: name, sessions, one's data.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from './client';
import { keys } from './keys';
import type { ApiError } from './problem';
import type { components } from './schema.gen';
import type { Me } from './types';

/** Where somebody is signed in. */
export type Session = components['schemas']['Session'];

/** More devices than one person has. */
const PAGE = 100;

export function useRename() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => answer(api.PUT('/users/me', { body: { name } })),
    onSuccess: (me) => cache.setQueryData<Me>(keys.me, me),
  });
}

/** Where the person is signed in. */
export function useSessions() {
  return useQuery({
    queryKey: keys.sessions,
    queryFn: ({ signal }) =>
      answer(api.GET('/users/me/sessions', { params: { query: { limit: PAGE } }, signal })),
  });
}

/** Ends one session, or all but this one. */
export function useEndSession() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async (id: string | 'others') => {
      if (id === 'others') await api.DELETE('/users/me/sessions');
      else await api.DELETE('/users/me/sessions/{id}', { params: { path: { id } } });
    },
    onSettled: () => cache.invalidateQueries({ queryKey: keys.sessions }),
  });
}

/**
 * Whether people sign in at the provider that is part of this installation and
 * has its pages under /idp. One outside keeps addresses and passwords itself.
 */
export function useOwnProvider() {
  return useQuery({
    queryKey: keys.provider,
    queryFn: async ({ signal }) => {
      const response = await fetch('/idp/.well-known/openid-configuration', { signal });
      // Without it that address is one of the client's own pages.
      return response.ok && (response.headers.get('Content-Type') ?? '').includes('json');
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Everything about oneself, as a zip. */
export function fetchExport(): Promise<Blob> {
  return answer(api.GET('/users/me/export', { parseAs: 'blob' }));
}

/** Erases the person signed in, who confirms it by naming their own address. */
export function useErase() {
  return useMutation({
    mutationFn: async (email: string) => {
      await api.DELETE('/users/me', { body: { email } });
    },
  });
}

/** The organizations that a refused erasure names: nobody else runs them. */
export function organizationsIn(error: ApiError): { id: string; name: string }[] {
  const value = error.extras.organizations;
  return Array.isArray(value)
    ? value.filter((o) => typeof o?.id === 'string' && typeof o?.name === 'string')
    : [];
}
