import { once } from 'node:events';
import { createServer } from 'node:net';

// Below those that a system hands out by itself to whoever asks for any: what is
// free now would else be another's before a server of ours takes it, or while one
// is away that is started again. The Go tests take theirs above these.
const LOWEST = 11_000;
const END = 19_000;

const given = new Set<number>();

/** Ports that are free now, none of which was given before. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = LOWEST + Math.floor(Math.random() * (END - LOWEST));
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    ports.push(port);
  }
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const holder = createServer().listen(port, '127.0.0.1');
  try {
    await once(holder, 'listening');
  } catch {
    return false;
  }
  await new Promise((closed) => holder.close(closed));
  return true;
}
