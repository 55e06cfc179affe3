// One connection for the whole client, opened when the first screen listens.
// The library is loaded then too: it is no part of the first load.
import type { Centrifuge, Subscription } from 'centrifuge';

export type ConnectionState = 'idle' | 'connecting' | 'connected' | 'lost';

export interface Listener {
  onMessage: (data: unknown) => void;
  /**
   * The channel is live again and messages may have been missed since it last
   * was (or it is live for the first time): what is shown must be fetched.
   */
  onFresh?: () => void;
  /** The server has ended the channel: one may not follow it any more, or the server can't tell whether. */
  onEnded?: () => void;
}

interface Channel {
  listeners: Set<Listener>;
  subscription: Subscription | null;
  live: boolean;
}

/** The server's word that the session of this browser is over. */
const SESSION_OVER = 3500;
/** Who is refused for another reason, or again, tries again after this. */
const REFUSED_PAUSE_MS = 10_000;
/** What the library tells of a channel that we left, or whose connection we closed. */
const LEFT_BY_US = [0, 2];

const channels = new Map<string, Channel>();
const watchers = new Set<() => void>();
const reconnectHandlers = new Set<() => void>();
const refusalHandlers = new Set<() => Promise<unknown>>();
let state: ConnectionState = 'idle';
let client: Promise<Centrifuge> | null = null;

export function connectionState(): ConnectionState {
  return state;
}

export function watchConnection(changed: () => void): () => void {
  watchers.add(changed);
  return () => watchers.delete(changed);
}

/** Calls back each time the connection stands again after it was lost. */
export function onReconnect(handler: () => void): () => void {
  reconnectHandlers.add(handler);
  return () => reconnectHandlers.delete(handler);
}

/**
 * Asks, each time the server refuses the connection, for who is signed in:
 * somebody may have been signed out elsewhere. The connection is tried again
 * once that is known.
 */
export function onRefusal(handler: () => Promise<unknown>): () => void {
  refusalHandlers.add(handler);
  return () => refusalHandlers.delete(handler);
}

function setState(next: ConnectionState): void {
  if (state === next) return;
  state = next;
  for (const changed of watchers) changed();
}

function endpoint(): string {
  const { protocol, host } = window.location;
  return `${protocol === 'https:' ? 'wss' : 'ws'}://${host}/connection/websocket`;
}

async function open(): Promise<Centrifuge> {
  const { Centrifuge: Client } = await import('centrifuge');
  const c = new Client(endpoint());
  let wasConnected = false;
  let refusals = 0;
  c.on('connecting', () => setState(wasConnected ? 'lost' : 'connecting'));
  // We never leave by ourselves: the server has refused us, and the library
  // gives up where that is no matter of the moment.
  c.on('disconnected', async ({ code }: { code: number }) => {
    setState('lost');
    refusals++;
    await Promise.allSettled([...refusalHandlers].map((ask) => ask()));
    // Asking has told the browser to forget a session that is over.
    const pause = code === SESSION_OVER && refusals === 1 ? 0 : REFUSED_PAUSE_MS;
    setTimeout(() => c.connect(), pause);
  });
  c.on('connected', () => {
    refusals = 0;
    setState('connected');
    if (wasConnected) for (const handler of reconnectHandlers) handler();
    wasConnected = true;
  });
  c.connect();
  return c;
}

function connection(): Promise<Centrifuge> {
  client ??= open().catch((error: unknown) => {
    client = null;
    throw error;
  });
  return client;
}

/** Listens to a channel until the returned function is called. */
export function listen(name: string, listener: Listener): () => void {
  let channel = channels.get(name);
  if (!channel) {
    channel = { listeners: new Set(), subscription: null, live: false };
    channels.set(name, channel);
    void subscribe(name, channel);
  } else if (channel.live) {
    listener.onFresh?.();
  }
  const joined = channel;
  joined.listeners.add(listener);
  return () => {
    joined.listeners.delete(listener);
    if (joined.listeners.size === 0 && channels.get(name) === joined) {
      channels.delete(name);
      void unsubscribe(joined);
    }
  };
}

async function subscribe(name: string, channel: Channel): Promise<void> {
  const c = await connection().catch(() => null);
  // Nobody may be listening any more, or the library could not be loaded; then
  // screens live without live news until they are opened again.
  if (!c || channels.get(name) !== channel) {
    if (!c) channels.delete(name);
    return;
  }
  const subscription = c.getSubscription(name) ?? c.newSubscription(name);
  channel.subscription = subscription;
  subscription.on('publication', ({ data }: { data: unknown }) => {
    for (const listener of channel.listeners) listener.onMessage(data);
  });
  subscription.on('subscribed', ({ wasRecovering, recovered }) => {
    channel.live = true;
    if (wasRecovering && recovered) return;
    for (const listener of channel.listeners) listener.onFresh?.();
  });
  // Screens ask whether they may still be shown; those that may go on listen again.
  subscription.on('unsubscribed', ({ code }: { code: number }) => {
    if (LEFT_BY_US.includes(code)) return;
    channel.live = false;
    for (const listener of channel.listeners) listener.onEnded?.();
    setTimeout(() => {
      if (channels.get(name) === channel) subscription.subscribe();
    }, REFUSED_PAUSE_MS);
  });
  subscription.subscribe();
}

async function unsubscribe(channel: Channel): Promise<void> {
  const subscription = channel.subscription;
  if (!subscription) return;
  subscription.unsubscribe();
  subscription.removeAllListeners();
  const c = await connection().catch(() => null);
  if (c && !channels.has(subscription.channel)) c.removeSubscription(subscription);
}
