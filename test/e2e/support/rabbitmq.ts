import { engineSetting } from './settings.ts';

const LIMIT_MS = 20_000;

/** What the management interface tells about a queue. */
export interface Queue {
  name: string;
  type: string;
  durable: boolean;
  messages?: number;
  messages_unacknowledged?: number;
  consumers?: number;
  arguments: Record<string, unknown>;
  message_stats?: { publish?: number; ack?: number };
}

/** A vhost of a test's own, with its queues. */
export class Vhost {
  private constructor(
    private readonly name: string,
    readonly url: string,
  ) {}

  static async make(name: string): Promise<Vhost> {
    const url = new URL(engineSetting('AMQP_URL'));
    url.pathname = `/${name}`;
    await manage('PUT', `/vhosts/${name}`, {});
    await manage('PUT', `/permissions/${name}/${url.username}`, { configure: '.*', write: '.*', read: '.*' });
    return new Vhost(name, url.href);
  }

  /** The queues as the management interface shows them. */
  async queues(): Promise<Queue[]> {
    return (await manage('GET', `/queues/${this.name}`)) as Queue[];
  }

  async drop(): Promise<void> {
    await manage('DELETE', `/vhosts/${this.name}`);
  }
}

async function manage(method: string, path: string, body?: unknown): Promise<unknown> {
  const url = new URL(engineSetting('RABBITMQ_MANAGEMENT_URL'));
  // fetch takes no credentials in an address.
  const login = Buffer.from(`${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`);
  const response = await fetch(`${url.origin}/api${path}`, {
    method,
    headers: { Authorization: `Basic ${login.toString('base64')}`, 'Content-Type': 'application/json' },
    ...(body ? { body: JSON.stringify(body) } : {}),
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`RabbitMQ: ${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}
