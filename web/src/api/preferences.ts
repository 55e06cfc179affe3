// By which ways one wants to hear of what.
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { keys } from './keys';
import { raw } from './raw';

export interface Preference {
  type: string;
  /** In the application; that is always on. */
  app: boolean;
  email: boolean;
}

export interface Preferences {
  types: Preference[];
}

export function usePreferences() {
  return useQuery({
    queryKey: keys.notifications.preferences,
    queryFn: () => raw<Preferences>('GET', '/notifications/preferences'),
  });
}

/** Changes some of them; the screen shows the change while the server makes it. */
export function useChangePreferences() {
  const cache = useQueryClient();
  const key = keys.notifications.preferences;
  return useMutation({
    mutationFn: (types: Preference[]) => raw<Preferences>('PUT', '/notifications/preferences', { types }),
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
