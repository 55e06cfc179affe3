import { useState } from 'react';

// randomUUID exists only where the page is served securely or from loopback; a
// key must also be had on a plain address in the house's own network.
function uuid(): string {
  if (globalThis.isSecureContext ?? true) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
}

/** Gives the idempotency key of one intent: the same for as long as what is wanted is the same. */
export class Intents {
  private want = '';
  private key = '';

  keyFor(want: unknown): string {
    const described = JSON.stringify(want);
    if (described !== this.want) {
      this.want = described;
      this.key = uuid();
    }
    return this.key;
  }

  /** The intent was answered for good; the next one, even an equal one, is new. */
  settle(): void {
    this.want = '';
  }
}

/** One component's intents, kept while it is mounted. */
export function useIntents(): Intents {
  return useState(() => new Intents())[0];
}
