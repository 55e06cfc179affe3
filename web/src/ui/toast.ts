// Saying something in passing, from anywhere. What shows it is loaded after
// the first screen, so what is said before that waits here.

export type ToastKind = 'good' | 'bad' | 'info';

export interface ToastMessage {
  readonly kind: ToastKind;
  readonly title: string;
  readonly description?: string | undefined;
}

const MAX_WAITING = 5;
let waiting: ToastMessage[] = [];
let show: ((message: ToastMessage) => void) | null = null;

/** Says something in passing. Nothing that must be acted on belongs here. */
export function toast(kind: ToastKind, title: string, description?: string): void {
  const message = { kind, title, description };
  if (show) show(message);
  else waiting = [...waiting, message].slice(-MAX_WAITING);
}

/** Takes over showing, beginning with what has waited. */
export function showToastsWith(shower: (message: ToastMessage) => void): () => void {
  show = shower;
  for (const message of waiting) shower(message);
  waiting = [];
  return () => {
    if (show === shower) show = null;
  };
}
