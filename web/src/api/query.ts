// The cache of everything that the server told us.
import { MutationCache, type Query, QueryCache, QueryClient } from '@tanstack/react-query';
import { keys } from './keys';
import { ApiError } from './problem';

const STALE_MS = 15_000;
const MAX_RETRIES = 2;
const REFUSALS = [401, 403, 404];

/** Whether a second try may end otherwise: a refusal will be the same refusal, a server may be back or less busy. */
export function isTransient(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status === 0 || error.status >= 500 || error.status === 429;
}

function retry(count: number, error: Error): boolean {
  return isTransient(error) && count < MAX_RETRIES;
}

// What one may no longer see isn't shown from memory either: screens close.
// Whoever is refused may have lost a role meanwhile, so that is asked anew.
function onError(error: Error, query?: Query<unknown, unknown>): void {
  if (!(error instanceof ApiError) || !REFUSALS.includes(error.status)) return;
  query?.setState({ ...query.state, data: undefined });
  if (queryClient.getQueryData(keys.me)) {
    void queryClient.invalidateQueries({ queryKey: keys.me }, { cancelRefetch: false });
  }
}

export const queryClient = new QueryClient({
  queryCache: new QueryCache({ onError }),
  mutationCache: new MutationCache({ onError: (error) => onError(error) }),
  defaultOptions: {
    queries: { staleTime: STALE_MS, retry, refetchOnWindowFocus: true },
    mutations: { retry: false },
  },
});
