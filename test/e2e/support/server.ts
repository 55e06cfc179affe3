import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const ROOT = resolve(import.meta.dirname, '../../..');
const BINARY = process.env.HAPPENING_BINARY || join(ROOT, 'bin/happening');

const READY_LIMIT_MS = 30_000;
const READY_POLL_MS = 50;
/** The product promises to stop within 30 s; one that does not is killed and reported. */
const STOP_LIMIT_MS = 35_000;
const COMMAND_LIMIT_MS = 30_000;

export interface ServerOptions {
  /** Fill the database with the demo. */
  demo?: boolean;
  /** Settings of the contract, for instance HAPPENING_HOLD_TTL. */
  env?: Record<string, string>;
  /** Keeps servers apart that are otherwise alike: specs with the same options share one. */
  label?: string;
}

export interface Mail {
  id: string;
  to: string;
  subject: string;
  text: string;
  html: string;
}

/** A `happening serve` of its own: fresh data, free ports. */
export class Server {
  private readonly tokens = new Map<string, string>();

  private constructor(
    readonly url: string,
    readonly opsUrl: string,
    private readonly data: string,
    private readonly env: NodeJS.ProcessEnv,
    private readonly child: ChildProcess,
    private readonly output: { text: string },
  ) {}

  static async start(options: ServerOptions): Promise<Server> {
    const data = await mkdtemp(join(tmpdir(), 'happening-e2e-'));
    // As root PostgreSQL runs as another user, who must be able to pass through.
    await chmod(data, 0o711);
    const [client, api, ops] = await freePorts(3);
    const url = `http://localhost:${client}`;
    const env = {
      ...withoutSettings(process.env),
      HAPPENING_DATA: data,
      HAPPENING_CLIENT_ADDR: `127.0.0.1:${client}`,
      HAPPENING_API_ADDR: `127.0.0.1:${api}`,
      HAPPENING_OPS_ADDR: `127.0.0.1:${ops}`,
      HAPPENING_PUBLIC_URL: url,
      ...options.env,
    };
    const child = spawn(BINARY, ['serve', ...(options.demo ? ['--demo'] : [])], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { text: '' };
    const keep = (chunk: Buffer) => {
      output.text += chunk.toString();
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('error', (error) => keep(Buffer.from(`${BINARY}: ${error.message} (run "make build" first)\n`)));
    const server = new Server(url, `http://127.0.0.1:${ops}`, data, env, child, output);
    try {
      await server.ready(`http://127.0.0.1:${api}/readyz`);
    } catch (error) {
      await server.stop().catch(() => undefined);
      throw error;
    }
    return server;
  }

  /** Everything that the server has said. */
  get log(): string {
    return this.output.text;
  }

  /** What the demo's people sign in with. */
  async demoPassword(): Promise<string> {
    return (await readFile(join(this.data, 'demo-password'), 'utf8')).trim();
  }

  /** Runs another command of the binary on the same data; a status that is not 0 rejects. */
  async command(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(BINARY, args, {
      cwd: ROOT,
      env: this.env,
      timeout: COMMAND_LIMIT_MS,
    });
    return stdout;
  }

  /** The checker of the booking rules; rejects on a breach, with what it told. */
  async check(): Promise<void> {
    await this.command('check', '--data', this.data).catch((error: { stdout?: string; message: string }) => {
      throw new Error(`happening check: ${error.stdout || error.message}`);
    });
  }

  /** Calls the API as a person, who is made if need be, and answers the body. */
  async call<T>(email: string, method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.url}/api${path}`, {
      method,
      headers: { Authorization: `Bearer ${await this.token(email)}`, ...(body ? { 'Content-Type': 'application/json' } : {}) },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text ? JSON.parse(text) : undefined) as T;
  }

  private async token(email: string): Promise<string> {
    const known = this.tokens.get(email);
    if (known) return known;
    const [, token] = (await this.command('token', '--user', email)).trim().split(' ');
    if (!token) throw new Error(`no token for ${email}`);
    this.tokens.set(email, token);
    return token;
  }

  /** The mails to an address in the development mailbox, newest first. */
  async mails(to: string): Promise<Mail[]> {
    const response = await fetch(`${this.opsUrl}/mailbox?to=${encodeURIComponent(to)}&format=json`);
    if (!response.ok) throw new Error(`mailbox: ${response.status}`);
    return ((await response.json()) as { items: Mail[] }).items;
  }

  /** Stops as an operator would, and removes the data. */
  async stop(): Promise<void> {
    try {
      if (this.child.pid === undefined || this.child.exitCode !== null) return;
      const ended = once(this.child, 'exit', { signal: AbortSignal.timeout(STOP_LIMIT_MS) });
      this.child.kill('SIGTERM');
      const [status] = (await ended.catch(() => {
        this.child.kill('SIGKILL');
        throw new Error(`the server does not stop\n${this.log}`);
      })) as [number | null];
      if (status !== 0) throw new Error(`the server stopped with status ${status}\n${this.log}`);
    } finally {
      await rm(this.data, { recursive: true, force: true, maxRetries: 5 });
    }
  }

  private async ready(url: string): Promise<void> {
    const deadline = Date.now() + READY_LIMIT_MS;
    while (Date.now() < deadline && this.child.exitCode === null && this.child.pid !== undefined) {
      const answer = await fetch(url).catch(() => null);
      if (answer?.ok) return;
      await new Promise((resume) => setTimeout(resume, READY_POLL_MS));
    }
    throw new Error(`the server does not become ready\n${this.log}`);
  }
}

// Whoever runs the tests may have a Happening of their own configured.
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const engines = ['DATABASE_URL', 'REDIS_URL', 'AMQP_URL', 'SMTP_URL'];
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) =>
        name === 'HAPPENING_POSTGRES_BIN' ||
        !(name.startsWith('HAPPENING_') || name.startsWith('OIDC_') || engines.includes(name)),
    ),
  );
}

/** Ports that are free now. All are held until all are known, so that no two are the same. */
async function freePorts(count: number): Promise<number[]> {
  const holders = await Promise.all(
    Array.from({ length: count }, async () => {
      const holder = createServer().listen(0, '127.0.0.1');
      await once(holder, 'listening');
      return holder;
    }),
  );
  const ports = holders.map((holder) => (holder.address() as { port: number }).port);
  await Promise.all(holders.map((holder) => new Promise((closed) => holder.close(closed))));
  return ports;
}
