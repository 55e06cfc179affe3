import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** An engine's own program answers within this, on a busy machine too. */
const LIMIT_MS = 30_000;

/** Runs one of the engines' own programs and answers what it prints; a status that is not 0 rejects. */
export async function run(program: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(program, args, { timeout: LIMIT_MS });
    return stdout.trim();
  } catch (error) {
    const { code, stderr, message } = error as { code?: unknown; stderr?: string; message: string };
    if (code === 'ENOENT')
      throw new Error(`${program} is not installed; deploy/README.md names the packages`);
    throw new Error(`${program}: ${stderr || message}`);
  }
}
