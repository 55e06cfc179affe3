// What the server says when it refuses, as RFC 9457 tells it. Screens branch on
// `code`, which is stable, and never on the text.

export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** A refusal or a failure of one call. */
export class ApiError extends Error {
  /** HTTP status; 0 when the server could not be reached. */
  readonly status: number;
  /** Stable, snake_case; `offline` when the server could not be reached. */
  readonly code: string;
  readonly detail: string;
  readonly errors: readonly FieldProblem[];
  /** Whatever else stands in the problem, for instance `seat_numbers`. */
  readonly extras: Readonly<Record<string, unknown>>;
  /** Seconds until another try makes sense, where the server told. */
  readonly retryAfter: number | null;

  constructor(init: {
    status: number;
    code: string;
    detail?: string;
    errors?: readonly FieldProblem[];
    extras?: Record<string, unknown>;
    retryAfter?: number | null;
  }) {
    super(`${init.code}: ${init.detail ?? ''}`);
    this.name = 'ApiError';
    this.status = init.status;
    this.code = init.code;
    this.detail = init.detail ?? '';
    this.errors = init.errors ?? [];
    this.extras = init.extras ?? {};
    this.retryAfter = init.retryAfter ?? null;
  }

  /** The seat numbers that the problem names under `key`, if it does. */
  seats(key: 'seat_numbers'): number[] {
    const value = this.extras[key];
    return Array.isArray(value) ? value.filter((n): n is number => typeof n === 'number') : [];
  }

  /** A text among the extras, for instance `booking_id`. */
  text(key: string): string | null {
    const value = this.extras[key];
    return typeof value === 'string' ? value : null;
  }
}

/** Whether an error is a refusal with one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): error is ApiError {
  return error instanceof ApiError && codes.includes(error.code);
}

/**
 * Whether the server has refused for good, so that nothing of the request can
 * still happen: only then is the next try a new one, with a key of its own.
 */
export function isDefinite(error: unknown): boolean {
  if (!(error instanceof ApiError)) return false;
  const { status, code } = error;
  return status >= 400 && status < 500 && status !== 429 && code !== 'duplicate_request';
}

/** Whether an error says that the thing is absent or hidden; the two are never told apart. */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

const KNOWN = new Set(['type', 'title', 'status', 'detail', 'code', 'errors', 'instance', '$schema']);

/** Reads a problem from an answer; an answer that is none becomes code `http_<status>`. */
export async function readProblem(response: Response): Promise<ApiError> {
  let body: unknown = null;
  try {
    body = await response.clone().json();
  } catch {
    // A proxy's page or nothing at all: the status alone has to do.
  }
  return problemFrom(response.status, body, response.headers.get('Retry-After'));
}

/** Builds the error from what was parsed; exported for its tests. */
export function problemFrom(status: number, body: unknown, retryHeader: string | null): ApiError {
  const o = isRecord(body) ? body : {};
  const extras = Object.fromEntries(Object.entries(o).filter(([key]) => !KNOWN.has(key)));
  const retry = Number(retryHeader ?? extras.retry_after);
  return new ApiError({
    status,
    code: typeof o.code === 'string' && o.code !== '' ? o.code : `http_${status}`,
    detail: typeof o.detail === 'string' ? o.detail : typeof o.title === 'string' ? o.title : '',
    errors: Array.isArray(o.errors) ? o.errors.flatMap(fieldFrom) : [],
    extras,
    retryAfter: (retryHeader ?? extras.retry_after) != null && Number.isFinite(retry) ? retry : null,
  });
}

// A field is named either plainly ("name") or by its place in the body
// ("body.name"); forms know it plainly.
function fieldFrom(entry: unknown): FieldProblem[] {
  if (!isRecord(entry)) return [];
  const name = typeof entry.field === 'string' ? entry.field : entry.location;
  if (typeof name !== 'string' || typeof entry.message !== 'string') return [];
  return [{ field: name.replace(/^body\./, ''), message: entry.message }];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
