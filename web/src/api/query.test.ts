import { QueryObserver } from '@tanstack/react-query';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { keys } from './keys';
import { ApiError } from './problem';
import { queryClient } from './query';

const refused = (status: number) => new ApiError({ status, code: `http_${status}` });
const seen = keys.events.one('seen');

/** Asks for what was there a moment ago, and is answered with a failure. */
async function askAgain(error: ApiError): Promise<void> {
  queryClient.setQueryData(seen, { name: 'seen before' });
  await queryClient
    .fetchQuery({ queryKey: seen, queryFn: () => Promise.reject(error), retry: false, staleTime: 0 })
    .catch(() => undefined);
}

afterEach(() => queryClient.clear());

describe('what one was shown', () => {
  it.each([401, 403, 404])('is forgotten once it is refused with %d', async (status) => {
    await askAgain(refused(status));
    expect(queryClient.getQueryData(seen)).toBeUndefined();
    expect(queryClient.getQueryState(seen)?.status).toBe('error');
  });

  it.each([0, 412, 429, 503])('stays while the server fails with %d', async (status) => {
    await askAgain(refused(status));
    expect(queryClient.getQueryData(seen)).toEqual({ name: 'seen before' });
  });
});

/** What follows by itself, on a busy machine too. */
const PATIENCE = { timeout: 30_000 };

describe('who is refused', () => {
  const fetchMe = vi.fn(() => Promise.resolve({ id: 'ann' }));
  const look = () =>
    new QueryObserver(queryClient, { queryKey: keys.me, queryFn: fetchMe, staleTime: 60_000 }).subscribe(
      () => undefined,
    );

  afterEach(() => fetchMe.mockClear());

  it('asks anew for their roles, after a change that was refused too', async () => {
    const leave = look();
    await vi.waitFor(() => expect(queryClient.getQueryData(keys.me)).toBeDefined(), PATIENCE);
    await askAgain(refused(404));
    await vi.waitFor(() => expect(fetchMe).toHaveBeenCalledTimes(2), PATIENCE);
    await queryClient
      .getMutationCache()
      .build(queryClient, { mutationFn: () => Promise.reject(refused(403)) })
      .execute(undefined)
      .catch(() => undefined);
    await vi.waitFor(() => expect(fetchMe).toHaveBeenCalledTimes(3), PATIENCE);
    leave();
  });

  it('is not asked about as a visitor, who has none', async () => {
    queryClient.setQueryData(keys.me, null);
    const leave = look();
    await askAgain(refused(404));
    expect(fetchMe).not.toHaveBeenCalled();
    leave();
  });
});
