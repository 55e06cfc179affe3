// @vitest-environment jsdom
import { beforeEach, describe, expect, it, vi } from 'vitest';

/** Stands for the library: it does what the test says. */
const FakeCentrifuge = vi.hoisted(() => {
  type Handler = (context: unknown) => void;
  return class FakeCentrifuge {
    static made: { connects: number; say(name: string, context?: unknown): void }[] = [];
    readonly handlers = new Map<string, Handler>();
    connects = 0;
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
    newSubscription() {
      return { on: () => undefined, subscribe: () => undefined };
    }
    say(name: string, context: unknown = {}) {
      this.handlers.get(name)?.(context);
    }
  };
});

vi.mock('centrifuge', () => ({ Centrifuge: FakeCentrifuge }));

const SESSION_OVER = 3500;
const TOO_MANY = 3504;

async function connected() {
  vi.resetModules();
  FakeCentrifuge.made = [];
  const module = await import('./connection');
  module.listen('event:1', { onMessage: () => undefined });
  await vi.waitFor(() => expect(FakeCentrifuge.made[0]?.connects).toBe(1));
  const [server] = FakeCentrifuge.made;
  if (!server) throw new Error('nobody connects');
  server.say('connected');
  return { module, server };
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
