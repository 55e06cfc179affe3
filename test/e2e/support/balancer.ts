// A load balancer that sends each browser to the replica that its cookie names.
import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { BrowserContext } from '@playwright/test';

const COOKIE = 'e2e_replica';

export class Balancer {
  private targets: number[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly upgraded = new Map<number, number>();

  private constructor(private readonly server: Server) {}

  static async open(): Promise<Balancer> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const balancer = new Balancer(server);
    server.on('connection', (socket) => {
      balancer.sockets.add(socket);
      socket.on('close', () => balancer.sockets.delete(socket));
    });
    server.on('request', (from, to) => {
      const onward = request(balancer.onward(from), (answer) => {
        to.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
        answer.pipe(to);
      });
      onward.on('error', () => to.destroy());
      from.pipe(onward);
    });
    server.on('upgrade', (from, socket: Socket) => {
      const onward = request(balancer.onward(from));
      const end = () => {
        socket.destroy();
        onward.destroy();
      };
      socket.on('error', end);
      onward.on('error', end);
      // A refusal is no upgrade; the browser takes the end of it for one.
      onward.on('response', end);
      onward.on('upgrade', (answer, other: Socket, first: Buffer) => {
        const headers: string[] = [];
        for (let i = 0; i < answer.rawHeaders.length; i += 2) {
          headers.push(`${answer.rawHeaders[i]}: ${answer.rawHeaders[i + 1]}`);
        }
        const replica = replicaOf(from);
        balancer.upgraded.set(replica, (balancer.upgraded.get(replica) ?? 0) + 1);
        socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('\r\n')}\r\n\r\n`);
        other.on('error', end);
        other.on('close', end);
        socket.on('close', () => other.destroy());
        if (first.length > 0) socket.write(first);
        other.pipe(socket).pipe(other);
      });
      onward.end();
    });
    return balancer;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  /** Names the ports of the replicas, before anybody is sent there. */
  sendTo(ports: number[]): void {
    this.targets = ports;
  }

  /** How many sockets a replica was given so far. */
  socketsOf(replica: number): number {
    return this.upgraded.get(replica) ?? 0;
  }

  /** Lets a browser meet one replica and no other, counted from 0. */
  async pin(context: BrowserContext, replica: number): Promise<void> {
    await context.addCookies([
      { name: COOKIE, value: String(replica), url: `http://localhost:${this.port}` },
    ]);
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((closed) => this.server.close(closed));
  }

  private onward(from: IncomingMessage) {
    return {
      host: '127.0.0.1',
      port: this.targets[replicaOf(from)],
      method: from.method,
      path: from.url,
      headers: from.rawHeaders,
      setDefaultHeaders: false,
    };
  }
}

// Who has no cookie, such as a script, comes to the first.
function replicaOf(from: IncomingMessage): number {
  return Number(new RegExp(`${COOKIE}=(\\d+)`).exec(from.headers.cookie ?? '')?.[1] ?? 0);
}
