// What one may read and change about oneself: name, sessions, one's data.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { keys } from './keys';
import { ApiError, readProblem } from './problem';
import { raw } from './raw';
import type { Me } from './types';

export interface Session {
  id: string;
  /** What it runs on, for instance "Firefox on Linux". */
  label: string;
  created_at: string;
  last_seen_at: string;
  current: boolean;
}

export function useRename() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (name: string) => raw<Me>('PUT', '/users/me', { name }),
    onSuccess: (me) => cache.setQueryData<Me>(keys.me, me),
  });
}

/** Where the person is signed in. */
export function useSessions() {
  return useQuery({
    queryKey: keys.sessions,
    queryFn: () => raw<{ items: Session[] }>('GET', '/users/me/sessions'),
  });
}

/** Ends one session, or all but this one. */
export function useEndSession() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: (id: string | 'others') =>
      raw<void>('DELETE', id === 'others' ? '/users/me/sessions' : `/users/me/sessions/${id}`),
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
export async function fetchExport(): Promise<Blob> {
  const response = await fetch('/api/users/me/export', { credentials: 'same-origin' }).catch(() => {
    throw new ApiError({ status: 0, code: 'offline' });
  });
  if (!response.ok) throw await readProblem(response);
  return response.blob();
}

/** Erases the person signed in, who confirms it by naming their own address. */
export function useErase() {
  return useMutation({ mutationFn: (email: string) => raw<void>('DELETE', '/users/me', { email }) });
}

/** The organizations that a refused erasure names: nobody else runs them. */
export function organizationsIn(error: ApiError): { id: string; name: string }[] {
  const value = error.extras.organizations;
  return Array.isArray(value)
    ? value.filter((o) => typeof o?.id === 'string' && typeof o?.name === 'string')
    : [];
}
