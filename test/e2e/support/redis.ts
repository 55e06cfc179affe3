import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePorts } from './ports.ts';
import { engineSetting } from './settings.ts';
import { run } from './shell.ts';

/** The numbers that a Redis has without being told otherwise. */
const NUMBERS = 16;
/** A claim of a run that was killed ends after this. */
const CLAIM_S = 3600;
const START_LIMIT_MS = 60_000;
const START_POLL_MS = 20;

const CLAIM = `if redis.call('DBSIZE') > 0 then return 0 end
redis.call('SET', KEYS[1], 'in use', 'EX', ARGV[1])
return 1`;

/** A database number of the Redis that runs already, taken while nothing is in it. */
export class RedisNumber {
  private constructor(readonly url: string) {}

  static async claim(): Promise<RedisNumber> {
    // The first is everybody's default.
    for (let number = 1; number < NUMBERS; number++) {
      const url = `${engineSetting('REDIS_URL').replace(/\/\d*$/, '')}/${number}`;
      const answer = await ask(url, 'EVAL', CLAIM, '1', 'happening-e2e', String(CLAIM_S));
      if (answer === '1') return new RedisNumber(url);
    }
    throw new Error(`no number of ${NUMBERS} is empty at REDIS_URL`);
  }

  async drop(): Promise<void> {
    await ask(this.url, 'FLUSHDB');
  }
}

/** A Redis of a test's own, which can be frozen as a host under too much load is. */
export class RedisProcess {
  private constructor(
    readonly url: string,
    private readonly child: ChildProcess,
  ) {}

  static async start(): Promise<RedisProcess> {
    const [port] = await freePorts(1);
    const child = spawn(
      'redis-server',
      ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
      { stdio: 'ignore' },
    );
    child.on('error', () => undefined); // told below, by its not answering
    const redis = new RedisProcess(`redis://127.0.0.1:${port}`, child);
    const deadline = Date.now() + START_LIMIT_MS;
    while ((await ask(redis.url, 'PING').catch(() => '')) !== 'PONG') {
      if (Date.now() > deadline || child.pid === undefined) {
        await redis.drop();
        throw new Error('redis-server does not start; install the package redis-server');
      }
      await new Promise((resume) => setTimeout(resume, START_POLL_MS));
    }
    return redis;
  }

  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.child.kill('SIGCONT');
  }

  async drop(): Promise<void> {
    if (this.child.pid === undefined || this.child.exitCode !== null || this.child.signalCode !== null)
      return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

function ask(url: string, ...command: string[]): Promise<string> {
  return run('redis-cli', '--no-auth-warning', '-u', url, ...command);
}
