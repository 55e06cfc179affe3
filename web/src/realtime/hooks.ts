import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { keys } from '@/api/keys';
import { connectionState, listen, onReconnect, onRefusal, watchConnection } from './connection';
import { readEventMessages, readUserMessages, type SeatDelta, type UserMessage } from './messages';

export interface EventHandlers {
  onSeats?: (delta: SeatDelta) => void;
  onViewers?: (viewers: number) => void;
  /** The event's settings or status changed: fetch it again. */
  onEvent?: () => void;
  onSales?: (sales: { available: number; waiting: number }) => void;
  /** Live updates and holds were interrupted, or are back: then fetch what is shown. */
  onLive?: (live: boolean) => void;
  /** Live (again), with messages possibly missed: fetch what is shown. */
  onFresh?: () => void;
  /** The server has ended the channel: ask whether the event may still be seen. */
  onEnded?: () => void;
}

/** Follows an event while the component is mounted. Handlers may change freely. */
export function useEventChannel(eventId: string, handlers: EventHandlers): void {
  const latest = useLatest(handlers);
  useEffect(
    () =>
      listen(`event:${eventId}`, {
        onMessage(data) {
          for (const message of readEventMessages(data)) {
            const h = latest.current;
            if (message.kind === 'seats') h.onSeats?.(message.delta);
            else if (message.kind === 'viewers') h.onViewers?.(message.viewers);
            else if (message.kind === 'event') h.onEvent?.();
            else if (message.kind === 'live') h.onLive?.(message.live);
            else h.onSales?.({ available: message.available, waiting: message.waiting });
          }
        },
        onFresh: () => latest.current.onFresh?.(),
        onEnded: () => latest.current.onEnded?.(),
      }),
    [eventId, latest],
  );
}

/** Follows what concerns the person signed in. */
export function useUserChannel(userId: string | undefined, onMessage: (message: UserMessage) => void): void {
  const latest = useLatest(onMessage);
  useEffect(() => {
    if (!userId) return undefined;
    return listen(`user:${userId}`, {
      onMessage(data) {
        for (const message of readUserMessages(data)) latest.current(message);
      },
    });
  }, [userId, latest]);
}

/**
 * Fetches again everything on the screen whenever the connection stands again:
 * what was missed meanwhile nobody will repeat. Who is signed in is asked
 * again too, since the server may have ended the session.
 */
export function useRefetchAfterReconnect(): void {
  const cache = useQueryClient();
  useEffect(() => onReconnect(() => void cache.invalidateQueries()), [cache]);
  useEffect(() => onRefusal(() => cache.invalidateQueries({ queryKey: keys.me })), [cache]);
}

const GRACE_MS = 4000;

/** Whether live news are cut off for longer than a blink, or the device is offline. */
export function useCutOff(): boolean {
  const state = useSyncExternalStore(watchConnection, connectionState, () => 'idle' as const);
  const online = useSyncExternalStore(
    watchOnline,
    () => navigator.onLine,
    () => true,
  );
  const [long, setLong] = useState(false);
  useEffect(() => {
    if (state !== 'lost') {
      setLong(false);
      return undefined;
    }
    const timer = setTimeout(() => setLong(true), GRACE_MS);
    return () => clearTimeout(timer);
  }, [state]);
  return !online || long;
}

function watchOnline(changed: () => void): () => void {
  window.addEventListener('online', changed);
  window.addEventListener('offline', changed);
  return () => {
    window.removeEventListener('online', changed);
    window.removeEventListener('offline', changed);
  };
}

/** How the query keys of one event are refreshed after a change that others made. */
export function useRefreshEvent(eventId: string): () => void {
  const cache = useQueryClient();
  return () => void cache.invalidateQueries({ queryKey: keys.events.one(eventId), exact: true });
}

function useLatest<T>(value: T) {
  const ref = useRef(value);
  useEffect(() => {
    ref.current = value;
  });
  return ref;
}
