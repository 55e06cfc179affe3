// A mail server that keeps what it is given: where a provider outside sends
// its own mails, which don't go through Happening.
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';

/** A mail of a sign-up is a few kilobytes. */
const MAX_MAIL_BYTES = 1_000_000;

export interface Letter {
  to: string;
  subject: string;
  text: string;
}

export class Letterbox {
  private readonly letters: Letter[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async open(): Promise<Letterbox> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const box = new Letterbox(server);
    server.on('connection', (socket) => box.talk(socket));
    return box;
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  /** The letters to an address, newest first. */
  to(address: string): Letter[] {
    return this.letters.filter((letter) => letter.to === address).reverse();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((closed) => this.server.close(closed));
  }

  // Of RFC 5321 what a client needs that neither signs in nor encrypts.
  private talk(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    let pending = '';
    let to = '';
    let data: string[] | null = null;
    const hear = (line: string) => {
      if (data) {
        if (line !== '.') {
          data.push(line.startsWith('..') ? line.slice(1) : line);
          return;
        }
        this.letters.push(read(to, data));
        data = null;
        socket.write('250 kept\r\n');
        return;
      }
      const verb = line.slice(0, 4).toUpperCase();
      if (verb === 'RCPT') to = /<([^>]+)>/.exec(line)?.[1]?.toLowerCase() ?? '';
      if (verb === 'DATA') data = [];
      const answer: Record<string, string> = { DATA: '354 go on', QUIT: '221 bye' };
      socket.write(`${answer[verb] ?? '250 ok'}\r\n`);
      if (verb === 'QUIT') socket.end();
    };
    socket.setEncoding('utf8');
    socket.write('220 letterbox\r\n');
    socket.on('data', (chunk: string) => {
      pending += chunk;
      if (pending.length > MAX_MAIL_BYTES) socket.destroy();
      const lines = pending.split('\r\n');
      pending = lines.pop() ?? '';
      for (const line of lines) hear(line);
    });
  }
}

function read(to: string, lines: string[]): Letter {
  const whole = part(lines.join('\n'));
  const boundary = /boundary="?([^";\n]+)/i.exec(whole.head)?.[1];
  const parts = boundary ? whole.body.split(`--${boundary}`).map((text) => part(text.trimStart())) : [whole];
  const plain = parts.find(({ head }) => /content-type: *text\/plain/i.test(head)) ?? whole;
  const subject = /^subject: *(.*)$/im.exec(whole.head)?.[1] ?? '';
  return { to, subject, text: decoded(plain) };
}

function part(text: string): { head: string; body: string } {
  const end = text.indexOf('\n\n');
  if (end < 0) return { head: '', body: text };
  // A header that is too long goes on in lines that begin with space.
  return { head: text.slice(0, end).replace(/\n[ \t]+/g, ' '), body: text.slice(end + 2) };
}

function decoded({ head, body }: { head: string; body: string }): string {
  if (/content-transfer-encoding: *base64/i.test(head)) return Buffer.from(body, 'base64').toString();
  if (!/content-transfer-encoding: *quoted-printable/i.test(head)) return body;
  const bytes = body
    .replace(/=\n/g, '')
    .replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString();
}
