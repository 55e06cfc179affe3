// Reads what people paste or drop to invite many at once: an address a line,
// lines of CSV with a role, or the way mail programs write lists.
import type { Role } from '@/api/types';

/** The most addresses that one list takes: as many as a person can invite in a day. */
export const MAX_LINES = 500;
/** Text beyond this is no list of 500 addresses. */
export const MAX_TEXT = 250_000;
const MAX_ADDRESS = 254;

export type Verdict = 'ok' | 'no_address' | 'unknown_role' | 'repeated' | 'too_many';

export interface InviteLine {
  /** Of the line in the text, from 1. */
  readonly line: number;
  /** What the line says, shortened where it is rubbish. */
  readonly email: string;
  readonly role: Role;
  readonly verdict: Verdict;
  /** The word that is no role. */
  readonly word?: string;
  /** All of what is no address. */
  readonly text?: string;
}

const ROLE_WORDS: Readonly<Record<string, Role>> = {
  user: 'user',
  member: 'user',
  organizer: 'organizer',
  organiser: 'organizer',
  orgadmin: 'orgAdmin',
  admin: 'orgAdmin',
  administrator: 'orgAdmin',
};

const ADDRESS_HEADINGS = new Set(['email', 'e-mail', 'mail', 'address', 'emailaddress', 'e-mailaddress']);
const ROLE_HEADINGS = new Set(['role', 'roles']);

/** Whether a text can be an address at all; the server has the last word. */
export function isAddress(text: string): boolean {
  return text.length <= MAX_ADDRESS && /^[^\s@,;<>"]+@[^\s@,;<>"]+$/.test(text);
}

function compact(text: string): string {
  return text.toLowerCase().replace(/[\s_]/g, '');
}

// One line into its cells: parted by comma, semicolon or tab, which may stand
// within quotes; a doubled quote within quotes is one (RFC 4180).
function cellsOf(line: string): string[] {
  const cells: string[] = [];
  let cell = '';
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const c = line[i] ?? '';
    if (quoted && c === '"' && line[i + 1] === '"') {
      cell += c;
      i++;
    } else if (c === '"') quoted = !quoted;
    else if (!quoted && (c === ',' || c === ';' || c === '\t')) {
      cells.push(cell.trim());
      cell = '';
    } else cell += c;
  }
  cells.push(cell.trim());
  return cells;
}

/** The address in "Ann Example <ann@example.org>", "mailto:ann@example.org" or alone. */
export function addressIn(cell: string): string | null {
  const bare = (/<([^<>]*)>\s*$/.exec(cell)?.[1] ?? cell).trim().replace(/^mailto:/i, '');
  return isAddress(bare) ? bare : null;
}

interface Header {
  readonly address: number;
  readonly role: number;
}

function headerOf(cells: readonly string[]): Header | null {
  const names = cells.map(compact);
  const address = names.findIndex((name) => ADDRESS_HEADINGS.has(name));
  if (address < 0 || names.some((name) => name.includes('@'))) return null;
  return { address, role: names.findIndex((name) => ROLE_HEADINGS.has(name)) };
}

// "a@x.org b@x.org organizer" are three cells, and "Ann Doe a@x.org" are two:
// words without an address among them belong together.
function spacedCells(cell: string): string[] {
  if (addressIn(cell) !== null || cell.includes('<')) return [cell];
  const words = cell.split(/\s+/);
  if (!words.some((word) => addressIn(word) !== null)) return [cell];
  const cells: string[] = [];
  let open = false;
  for (const word of words) {
    const plain = !word.includes('@');
    if (plain && open) cells.push(`${cells.pop() ?? ''} ${word}`);
    else cells.push(word);
    open = plain;
  }
  return cells;
}

type Found = Pick<InviteLine, 'email' | 'role' | 'word' | 'text'> & {
  verdict: 'ok' | 'no_address' | 'unknown_role';
};

const SHOWN_OF_RUBBISH = 60;

function rubbish(text: string, role: Role): Found {
  return { email: text.slice(0, SHOWN_OF_RUBBISH), role, verdict: 'no_address', text };
}

function withRole(email: string, word: string, fallback: Role): Found {
  if (word === '') return { email, role: fallback, verdict: 'ok' };
  const role = ROLE_WORDS[compact(word)];
  return role ? { email, role, verdict: 'ok' } : { email, role: fallback, verdict: 'unknown_role', word };
}

function fromHeader(cells: readonly string[], header: Header, fallback: Role): Found {
  const cell = cells[header.address] ?? '';
  const email = addressIn(cell);
  return email
    ? withRole(email, header.role < 0 ? '' : (cells[header.role] ?? ''), fallback)
    : rubbish(cell || cells.join(' ').trim(), fallback);
}

// Without a heading, what follows an address and is no address must be its
// role; what comes before it is a name. A list of addresses may share a line.
function fromCells(cells: readonly string[], fallback: Role): Found[] {
  const found: Found[] = [];
  let before = '';
  for (const cell of cells.filter((text) => text !== '').flatMap(spacedCells)) {
    const email = addressIn(cell);
    const last = found.at(-1);
    if (email) found.push({ email, role: fallback, verdict: 'ok' });
    else if (!last || cell.includes('@')) {
      if (cell.includes('@')) found.push(rubbish(cell, fallback));
      else before = before || cell;
    } else if (last.verdict === 'ok') found[found.length - 1] = withRole(last.email, cell, fallback);
  }
  if (found.length === 0 && before) found.push(rubbish(before, fallback));
  return found;
}

/** Every address that a text names, in order, and what is to be thought of it. */
export function readInviteLines(text: string, fallback: Role): InviteLine[] {
  const lines = text
    .slice(0, MAX_TEXT)
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/);
  const out: InviteLine[] = [];
  const seen = new Set<string>();
  let header: Header | null = null;
  let good = 0;
  lines.forEach((line, i) => {
    if (line.trim() === '') return;
    const cells = cellsOf(line);
    // A heading may follow a title or another list. One of a single column
    // tells nothing about columns.
    const heading = headerOf(cells);
    if (heading) {
      header = cells.filter((cell) => cell !== '').length > 1 ? heading : null;
      return;
    }
    for (const found of header ? [fromHeader(cells, header, fallback)] : fromCells(cells, fallback)) {
      const key = found.email.toLowerCase();
      const again = found.verdict !== 'no_address' && seen.has(key);
      seen.add(key);
      let verdict: Verdict = again ? 'repeated' : found.verdict;
      if (verdict === 'ok' && ++good > MAX_LINES) verdict = 'too_many';
      out.push({ ...found, line: i + 1, verdict });
    }
  });
  return out;
}

/** Lines as text again, for those that are to be tried once more. */
export function asText(lines: readonly Omit<InviteLine, 'line' | 'verdict'>[]): string {
  return lines.map(({ email, role, word, text }) => text ?? `${email}, ${word ?? role}`).join('\n');
}
