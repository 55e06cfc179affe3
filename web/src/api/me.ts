// Who is signed in, and leaving.
import { useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from './client';
import { keys } from './keys';
import { ApiError } from './problem';
import type { Me, Role } from './types';

// Roles change while one looks elsewhere; whoever comes back, or goes on to
// another screen, learns of it.
const ME_STALE_MS = 15_000;

async function fetchMe(): Promise<Me | null> {
  try {
    return await answer(api.GET('/users/me'));
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return null;
    throw error;
  }
}

/** The person signed in, null for a visitor, undefined while not known. */
export function useMe(): Me | null | undefined {
  return useMeQuery().data;
}

/** The same with its state, for screens that wait on it. */
export function useMeQuery() {
  return useQuery({
    queryKey: keys.me,
    queryFn: fetchMe,
    staleTime: ME_STALE_MS,
    refetchOnWindowFocus: 'always',
  });
}

const RUNNERS: readonly Role[] = ['organizer', 'orgAdmin'];

/** The organizations in which the person may run events. */
export function runs(me: Me | null | undefined) {
  return (me?.organizations ?? []).filter((org) => RUNNERS.includes(org.role));
}

/** Where signing in starts; one returns to the page that one was on. */
export function signInUrl(returnTo?: string): string {
  const to = returnTo ?? `${window.location.pathname}${window.location.search}`;
  return `/auth/login?return_to=${encodeURIComponent(to)}`;
}

/** The same for who has no account yet: the provider begins with making one. */
export function signUpUrl(): string {
  return `${signInUrl()}&intent=signup`;
}

// Signing out leads over the identity provider and ends on the first screen;
// who leaves in order to come back as somebody else goes on from there.
const SIGN_IN_NEXT = 'happening.sign-in-next';

/** Goes on to sign in where one signed out to do so; true where the page is being left. */
export function resumeSignIn(): boolean {
  const to = sessionStorage.getItem(SIGN_IN_NEXT);
  sessionStorage.removeItem(SIGN_IN_NEXT);
  if (to === null) return false;
  window.location.replace(signInUrl(to));
  return true;
}

/**
 * Ends the session and follows where the server sends one. With `thenSignInAt`
 * signing in as somebody else comes next, and returns there.
 */
export function useSignOut(): (thenSignInAt?: string) => Promise<void> {
  const cache = useQueryClient();
  return async (thenSignInAt) => {
    const response = await fetch('/auth/logout', { method: 'POST', headers: { Accept: 'application/json' } });
    let to = '/';
    if (response.headers.get('Content-Type')?.includes('json')) {
      const body: unknown = await response.json();
      if (
        typeof body === 'object' &&
        body !== null &&
        'redirect' in body &&
        typeof body.redirect === 'string'
      ) {
        to = body.redirect;
      }
    }
    cache.clear();
    if (thenSignInAt !== undefined) sessionStorage.setItem(SIGN_IN_NEXT, thenSignInAt);
    window.location.assign(to);
  };
}
