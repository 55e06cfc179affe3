// The cache of everything that the server told us.
import { QueryClient } from '@tanstack/react-query';
import { ApiError } from './problem';

const STALE_MS = 15_000;
const MAX_RETRIES = 2;

// A refusal will be the same refusal on a second try; only a server that was
// away or overloaded is asked again.
function retry(count: number, error: Error): boolean {
  const transient =
    !(error instanceof ApiError) || error.status === 0 || error.status >= 500 || error.status === 429;
  return transient && count < MAX_RETRIES;
}

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { staleTime: STALE_MS, retry, refetchOnWindowFocus: true },
    mutations: { retry: false },
  },
});
