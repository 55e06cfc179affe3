import { execFile } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Balancer } from './balancer.ts';
import { Engines } from './engines.ts';
import { freePorts } from './ports.ts';
import { BINARY, Process, ROOT } from './process.ts';
import { realEngines } from './settings.ts';

const COMMAND_LIMIT_MS = 30_000;
/** A token of the embedded provider lives for an hour. */
const TOKEN_MS = 3_600_000;
/** A token is not used so shortly before its end. */
const TOKEN_MARGIN_MS = 60_000;

export interface ServerOptions {
  /** Fill the database with the demo. */
  demo?: boolean;
  /** Settings of the contract, for instance HAPPENING_HOLD_TTL. */
  env?: Record<string, string>;
  /** Keeps servers apart that are otherwise alike: specs with the same options share one. */
  label?: string;
  /** How many processes serve behind one address; several need real engines. */
  replicas?: number;
  /** A Redis that the test may stop; with real engines only. */
  ownRedis?: boolean;
}

export interface Mail {
  id: string;
  to: string;
  subject: string;
  text: string;
  html: string;
}

interface Replica {
  client: number;
  api: number;
  ops: number;
}

/** A Happening of its own: fresh data, free ports, on the engines of the run. */
export class Server {
  private readonly tokens = new Map<string, { token: string; until: number }>();
  private readonly processes: Process[] = [];

  private constructor(
    readonly url: string,
    private readonly replicas: Replica[],
    private readonly data: string,
    private readonly given: Engines | null,
    private readonly balancer: Balancer | null,
    private readonly env: NodeJS.ProcessEnv,
  ) {}

  static async start(options: ServerOptions): Promise<Server> {
    const data = await mkdtemp(join(tmpdir(), 'happening-e2e-'));
    // As root PostgreSQL runs as another user, who must be able to pass through.
    await chmod(data, 0o711);
    const several = options.replicas ?? 1;
    const balancer = several > 1 ? await Balancer.open() : null;
    const replicas = await Promise.all(
      Array.from({ length: several }, async () => {
        const [client = 0, api = 0, ops = 0] = await freePorts(3);
        return { client, api, ops };
      }),
    );
    balancer?.sendTo(replicas.map(({ client }) => client));
    const url = `http://localhost:${balancer?.port ?? replicas[0]?.client}`;
    const given = realEngines()
      ? await Engines.provide(url, { demo: options.demo ?? false, ownRedis: options.ownRedis ?? false })
      : null;
    const env = {
      ...withoutSettings(process.env),
      HAPPENING_DATA: data,
      HAPPENING_PUBLIC_URL: url,
      // Nobody balances load here who would have to notice first.
      HAPPENING_DRAIN: '0s',
      ...given?.env,
      ...options.env,
    };
    const server = new Server(url, replicas, data, given, balancer, env);
    try {
      // One after the other: the first makes the schema and the demo.
      for (const replica of replicas) await server.run(replica, options.demo ?? false);
    } catch (error) {
      await server.stop().catch(() => undefined);
      throw error;
    }
    return server;
  }

  /** What the server has of the real engines. */
  get engines(): Engines {
    if (!this.given) throw new Error('this test needs real engines');
    return this.given;
  }

  /** Keycloak, where people sign in there; null where the embedded provider asks them. */
  get keycloak() {
    return this.given?.keycloak ?? null;
  }

  /** Sends browsers to replicas. */
  get router(): Balancer {
    if (!this.balancer) throw new Error('there is one replica only');
    return this.balancer;
  }

  /** Where operators look, at the first replica. */
  get opsUrl(): string {
    return `http://127.0.0.1:${this.replicas[0]?.ops}`;
  }

  /** Everything that the server has said. */
  get log(): string {
    return this.processes.map((each) => each.log).join('');
  }

  /** What the demo's people sign in with. */
  async demoPassword(): Promise<string> {
    if (this.keycloak) return this.keycloak.password;
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

  /** Calls the API as a person and answers the body. The embedded provider makes the person if need be. */
  async call<T>(email: string, method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.url}/api${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${await this.token(email)}`,
        ...(body ? { 'Content-Type': 'application/json' } : {}),
      },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text ? JSON.parse(text) : undefined) as T;
  }

  private async token(email: string): Promise<string> {
    const known = this.tokens.get(email);
    if (known && known.until > Date.now()) return known.token;
    const { token, livesMs } = this.keycloak
      ? await this.keycloak.token(email, this.keycloak.password)
      : { token: (await this.command('token', '--user', email)).trim().split(' ')[1], livesMs: TOKEN_MS };
    if (!token) throw new Error(`no token for ${email}`);
    this.tokens.set(email, { token, until: Date.now() + livesMs - TOKEN_MARGIN_MS });
    return token;
  }

  /** The mails to an address in the development mailbox, newest first. */
  async mails(to: string): Promise<Mail[]> {
    const response = await fetch(`${this.opsUrl}/mailbox?to=${encodeURIComponent(to)}&format=json`);
    if (!response.ok) throw new Error(`mailbox: ${response.status}`);
    return ((await response.json()) as { items: Mail[] }).items;
  }

  /** Stops as an operator would, and removes the data and what there is at the engines. */
  async stop(): Promise<void> {
    const steps = [
      ...this.processes.map((each) => () => each.stop()),
      () => this.balancer?.close(),
      () => this.given?.drop(),
      () => rm(this.data, { recursive: true, force: true, maxRetries: 5 }),
    ];
    const faults: Error[] = [];
    for (const step of steps) {
      try {
        await step();
      } catch (error) {
        faults.push(error as Error);
      }
    }
    if (faults.length > 0) throw new Error(faults.map(({ message }) => message).join('\n'));
  }

  private async run({ client, api, ops }: Replica, demo: boolean): Promise<void> {
    const env = {
      ...this.env,
      HAPPENING_CLIENT_ADDR: `127.0.0.1:${client}`,
      HAPPENING_API_ADDR: `127.0.0.1:${api}`,
      HAPPENING_OPS_ADDR: `127.0.0.1:${ops}`,
    };
    this.processes.push(await Process.start(demo ? ['--demo'] : [], env, `http://127.0.0.1:${api}/readyz`));
  }
}

// Whoever runs the tests may have a Happening of their own configured, and the
// engines' settings of the run are those of a server's own share of them.
function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const engines = ['REDIS_URL', 'AMQP_URL', 'SMTP_URL'];
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) =>
        name === 'HAPPENING_POSTGRES_BIN' ||
        !(/^(HAPPENING|DATABASE|OIDC)_/.test(name) || engines.includes(name)),
    ),
  );
}
