// What reaches the person while any screen is open.
import { t } from '@lingui/core/macro';
import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { keys } from '@/api/keys';
import { useUserChannel } from '@/realtime/hooks';
import { toast } from '@/ui/toast';

const OWN_ECHO_MS = 5000;

/** Whether one has just done something oneself: the screen has said that already. */
export function justActed(cache: QueryClient): boolean {
  const since = Date.now() - OWN_ECHO_MS;
  return cache
    .getMutationCache()
    .getAll()
    .some(({ state }) => state.submittedAt > since && state.status !== 'error');
}

/** Keeps bell, bookings and holds current from the person's own channel. */
export function usePersonalNews(userId: string | undefined): void {
  const cache = useQueryClient();
  useUserChannel(userId, (message) => {
    switch (message.kind) {
      case 'booking':
        void cache.invalidateQueries({ queryKey: keys.bookings.all });
        void cache.invalidateQueries({ queryKey: keys.events.one(message.eventId), exact: true });
        return;
      case 'notification':
        void cache.invalidateQueries({ queryKey: keys.notifications.all });
        void cache.invalidateQueries({ queryKey: keys.invites });
        if (!justActed(cache)) toast('info', message.title || t`You have news`);
        return;
      case 'holds':
        void cache.invalidateQueries({ queryKey: keys.events.holds(message.eventId) });
        return;
      case 'positions':
        void cache.invalidateQueries({ queryKey: keys.bookings.all });
        return;
      case 'refresh':
        void cache.invalidateQueries();
        return;
    }
  });
}
