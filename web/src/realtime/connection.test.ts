// @vitest-environment jsdom
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Listener } from './connection';

/** Stands for the library: it does what the test says. */
const FakeCentrifuge = vi.hoisted(() => {
  type Handler = (context: unknown) => void;
  return class FakeCentrifuge {
    static made: FakeCentrifuge[] = [];
    readonly handlers = new Map<string, Handler>();
    readonly channel = new Map<string, Handler>();
    connects = 0;
    subscribes = 0;
    constructor() {
      FakeCentrifuge.made.push(this);
    }
    on(name: string, handler: Handler) {
      this.handlers.set(name, handler);
    }
    connect() {
      this.connects++;
    }
    getSubscription() {
      return null;
    }
    removeSubscription() {}
    newSubscription() {
      return {
        on: (name: string, handler: Handler) => this.channel.set(name, handler),
        subscribe: () => {
          this.subscribes++;
        },
        unsubscribe: () => undefined,
        removeAllListeners: () => undefined,
      };
    }
    say(name: string, context: unknown = {}) {
      this.handlers.get(name)?.(context);
    }
  };
});

vi.mock('centrifuge', () => ({ Centrifuge: FakeCentrifuge }));

/** A module is loaded in a moment, if the machine has one. */
const PATIENCE = { timeout: 30_000 };

const SESSION_OVER = 3500;
const TOO_MANY = 3504;

async function connected(listener: Partial<Listener> = {}) {
  vi.resetModules();
  FakeCentrifuge.made = [];
  const module = await import('./connection');
  const leave = module.listen('event:1', { onMessage: () => undefined, ...listener });
  await vi.waitFor(() => expect(FakeCentrifuge.made[0]?.connects).toBe(1), PATIENCE);
  const [server] = FakeCentrifuge.made;
  if (!server) throw new Error('nobody connects');
  server.say('connected');
  return { module, server, leave };
}

describe('a connection that the server refuses', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  });

  it('comes back as a visitor as soon as it is known who is signed in', async () => {
    const { module, server } = await connected();
    let answer: () => void = () => undefined;
    module.onRefusal(
      () =>
        new Promise<void>((resolve) => {
          answer = resolve;
        }),
    );
    server.say('disconnected', { code: SESSION_OVER });
    expect(module.connectionState()).toBe('lost');
    await vi.advanceTimersByTimeAsync(60_000);
    expect(server.connects, 'not with the session that is over').toBe(1);
    answer();
    await vi.advanceTimersByTimeAsync(1);
    expect(server.connects).toBe(2);
  });

  it('takes its time after the second refusal, and after others', async () => {
    const { server } = await connected();
    server.say('disconnected', { code: SESSION_OVER });
    await vi.advanceTimersByTimeAsync(1);
    expect(server.connects).toBe(2);
    server.say('disconnected', { code: SESSION_OVER });
    await vi.advanceTimersByTimeAsync(9_000);
    expect(server.connects).toBe(2);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.connects).toBe(3);
    server.say('connected');
    server.say('disconnected', { code: TOO_MANY });
    await vi.advanceTimersByTimeAsync(9_000);
    expect(server.connects).toBe(3);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(server.connects).toBe(4);
  });

  it('tries again although nobody could be asked', async () => {
    const { module, server } = await connected();
    module.onRefusal(() => Promise.reject(new Error('offline')));
    server.say('disconnected', { code: SESSION_OVER });
    await vi.advanceTimersByTimeAsync(1);
    expect(server.connects).toBe(2);
  });
});

describe('a channel that the server ends', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    return () => vi.useRealTimers();
  });

  it('tells its screens, and is tried again while one stands', async () => {
    const onEnded = vi.fn();
    const { server } = await connected({ onEnded });
    await vi.waitFor(() => expect(server.subscribes).toBe(1), PATIENCE);
    server.channel.get('unsubscribed')?.({ code: 2000 });
    expect(onEnded).toHaveBeenCalledOnce();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(server.subscribes).toBe(2);
  });

  it('is left alone where we left, or where nobody listens any more', async () => {
    const onEnded = vi.fn();
    const { server, leave } = await connected({ onEnded });
    await vi.waitFor(() => expect(server.subscribes).toBe(1), PATIENCE);
    server.channel.get('unsubscribed')?.({ code: 0 });
    expect(onEnded).not.toHaveBeenCalled();
    server.channel.get('unsubscribed')?.({ code: 2000 });
    leave();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(server.subscribes).toBe(1);
  });
});
