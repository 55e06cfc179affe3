// By which ways one wants to hear of what.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api } from './client';
import { keys } from './keys';
import type { components } from './schema.gen';

export type Preference = components['schemas']['Preference'];
export type Preferences = components['schemas']['Preferences'];

export function usePreferences() {
  return useQuery({
    queryKey: keys.notifications.preferences,
    queryFn: ({ signal }) => answer(api.GET('/notifications/preferences', { signal })),
  });
}

/** Changes some of them; the screen shows the change while the server makes it. */
export function useChangePreferences() {
  const cache = useQueryClient();
  const key = keys.notifications.preferences;
  return useMutation({
    mutationFn: (types: Preference[]) => answer(api.PUT('/notifications/preferences', { body: { types } })),
    onMutate: async (types) => {
      await cache.cancelQueries({ queryKey: key });
      cache.setQueryData<Preferences>(key, (known) => known && withChanges(known, types));
    },
    // Switches are pressed one after another; only the last answer is the whole truth.
    onSettled: () => {
      if (cache.isMutating({ mutationKey: key }) === 1) return cache.invalidateQueries({ queryKey: key });
      return undefined;
    },
    mutationKey: key,
  });
}

/** What holds once some preferences are changed. */
export function withChanges(known: Preferences, changes: readonly Preference[]): Preferences {
  return { types: known.types.map((one) => changes.find(({ type }) => type === one.type) ?? one) };
}
