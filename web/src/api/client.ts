// The only place that fetches. Every call goes to /api on our own origin with
// the session cookie; a refusal becomes an ApiError and is thrown.
import createClient from 'openapi-fetch';
import { learnClock } from './clock';
import { ApiError, readProblem } from './problem';
import type { paths } from './schema.gen';

export const api = createClient<paths>({ baseUrl: '/api', credentials: 'same-origin' });

api.use({
  async onResponse({ response }) {
    learnClock(response.headers.get('Date'));
    if (!response.ok) throw await readProblem(response);
    return undefined;
  },
  onError({ error }) {
    if (error instanceof DOMException && error.name === 'AbortError') return undefined;
    return new ApiError({ status: 0, code: 'offline' });
  },
});

/** Unwraps what a call answered. Refusals were thrown before this sees them. */
export async function answer<T>(call: Promise<{ data?: T }>): Promise<T> {
  const { data } = await call;
  if (data === undefined) throw new ApiError({ status: 0, code: 'empty_answer' });
  return data;
}
