import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';

export const ROOT = resolve(import.meta.dirname, '../../..');
export const BINARY = process.env.HAPPENING_BINARY || join(ROOT, 'bin/happening');

const READY_LIMIT_MS = 80_000;
const READY_POLL_MS = 50;
/** The product promises to stop within 30 s; one that does not is killed and reported. */
const STOP_LIMIT_MS = 35_000;

/** One process of `happening serve`. */
export class Process {
  private output = '';

  private constructor(private readonly child: ChildProcess) {
    const keep = (chunk: Buffer) => {
      this.output += chunk.toString();
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    child.on('error', (error) => keep(Buffer.from(`${BINARY}: ${error.message} (run "make build" first)\n`)));
  }

  /** Starts a process and answers once it takes bookings, as `readyUrl` tells. */
  static async start(args: string[], env: NodeJS.ProcessEnv, readyUrl: string): Promise<Process> {
    const started = new Process(
      spawn(BINARY, ['serve', ...args], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] }),
    );
    try {
      await started.ready(readyUrl);
    } catch (error) {
      await started.stop().catch(() => undefined);
      throw error;
    }
    return started;
  }

  /** Everything that the process has said. */
  get log(): string {
    return this.output;
  }

  /** Stops as an operator would. */
  async stop(): Promise<void> {
    if (this.child.pid === undefined || this.child.exitCode !== null) return;
    const ended = once(this.child, 'exit', { signal: AbortSignal.timeout(STOP_LIMIT_MS) });
    this.child.kill('SIGTERM');
    const [status] = (await ended.catch(() => {
      this.child.kill('SIGKILL');
      throw new Error(`the server does not stop\n${this.log}`);
    })) as [number | null];
    if (status !== 0) throw new Error(`the server stopped with status ${status}\n${this.log}`);
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
