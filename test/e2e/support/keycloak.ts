import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Letterbox } from './letterbox.ts';
import { ROOT } from './process.ts';
import { engineSetting } from './settings.ts';

/** Keycloak hashes passwords and makes keys meanwhile, on a busy machine. */
const LIMIT_MS = 60_000;
/** An administrator's token lives for a minute. */
const ADMIN_TOKEN_MS = 30_000;
/** Two realms that are made at once can lock each other out. */
const REALM_TRIES = 3;

/** The realm that installations import, with the demo's people. */
const INSTALLED_REALM = 'happening';
/** What the demo's people sign in with there. */
const DEMO_PASSWORD = 'happening-demo';
const CLIENT_SECRET = 'a secret of a test';

type Json = Record<string, unknown>;

interface RealmFile extends Json {
  clients: Json[];
  smtpServer: Json;
  attributes: Json;
}

/** What an access token is asked with, and what it says. */
interface Tokens {
  access_token: string;
  expires_in: number;
}

/**
 * Keycloak as one server of a test has it: a realm of its own, made of the
 * file that installations import, or a client of its own in the installed
 * realm, where the demo's people are.
 */
export class Keycloak {
  private admission: { token: string; until: number } | null = null;

  private constructor(
    private readonly realmName: string,
    private readonly clientId: string,
    /** Where the realm's own mails end; a client of its own sends none. */
    private readonly letterbox: Letterbox | null,
  ) {}

  /** Makes a realm without people. */
  static async realm(publicUrl: string, name: string): Promise<Keycloak> {
    const keycloak = new Keycloak(name, 'happening', await Letterbox.open());
    try {
      const file = await realmFile(publicUrl);
      await keycloak.create({
        ...file,
        realm: name,
        users: [],
        clients: [application(file, 'happening')],
        smtpServer: { ...file.smtpServer, port: String(keycloak.letterbox?.port) },
      });
    } catch (error) {
      await keycloak.letterbox?.close();
      throw error;
    }
    return keycloak;
  }

  /** Makes a client in the realm of the demo's people. */
  static async client(publicUrl: string, name: string): Promise<Keycloak> {
    const keycloak = new Keycloak(INSTALLED_REALM, name, null);
    await keycloak.ask('POST', '/clients', application(await realmFile(publicUrl), name));
    return keycloak;
  }

  /** The settings of a server that trusts it. */
  get env(): Record<string, string> {
    return {
      OIDC_ISSUER_URL: this.issuer,
      OIDC_CLIENT_ID: this.clientId,
      OIDC_CLIENT_SECRET: CLIENT_SECRET,
    };
  }

  get issuer(): string {
    return `${base()}/realms/${this.realmName}`;
  }

  /** What everybody whom tests know by address alone signs in with. */
  get password(): string {
    return DEMO_PASSWORD;
  }

  /** The mails of the realm to an address, newest first. */
  letters(to: string) {
    if (!this.letterbox) throw new Error(`mails of the realm ${this.realmName} are not kept here`);
    return this.letterbox.to(to);
  }

  /** Makes somebody whose address is verified, and answers their id. */
  async person(name: string, email: string, password: string): Promise<string> {
    const [firstName, lastName] = name.split(' ');
    await this.ask('POST', '/users', {
      username: email,
      email,
      emailVerified: true,
      enabled: true,
      firstName,
      lastName,
      credentials: [{ type: 'password', value: password, temporary: false }],
    });
    return this.idOf(email);
  }

  async idOf(email: string): Promise<string> {
    const [one] = await this.find(email);
    if (!one) throw new Error(`nobody at Keycloak has ${email}`);
    return one.id;
  }

  async knows(email: string): Promise<boolean> {
    return (await this.find(email)).length > 0;
  }

  private async find(email: string): Promise<{ id: string }[]> {
    return (await this.ask('GET', `/users?exact=true&email=${encodeURIComponent(email)}`)) as {
      id: string;
    }[];
  }

  /** An access token of a person, and for how many milliseconds it is good. */
  async token(email: string, password: string): Promise<{ token: string; livesMs: number }> {
    const { access_token, expires_in } = await form<Tokens>(`${this.issuer}/protocol/openid-connect/token`, {
      grant_type: 'password',
      client_id: this.clientId,
      client_secret: CLIENT_SECRET,
      username: email,
      password,
      scope: 'openid',
    });
    return { token: access_token, livesMs: expires_in * 1000 };
  }

  /** How many sessions a person has at Keycloak. */
  async sessionsOf(userId: string): Promise<number> {
    return ((await this.ask('GET', `/users/${userId}/sessions`)) as unknown[]).length;
  }

  /** Which events of a type Keycloak has kept; the realm must have been told to keep them. */
  async events(type: string): Promise<{ type: string; userId?: string }[]> {
    return (await this.ask('GET', `/events?type=${type}`)) as { type: string; userId?: string }[];
  }

  /** Ends all sessions of a person from Keycloak's side, which tells the applications. */
  async signOut(userId: string): Promise<void> {
    await this.ask('POST', `/users/${userId}/logout`);
  }

  /** Changes the realm's settings. */
  async change(settings: Json): Promise<void> {
    await this.ask('PUT', '', { realm: this.realmName, ...settings });
  }

  /** Lets Keycloak tell the application of sign-outs, as the realm's file has it. */
  tellSignOuts(publicUrl: string): Promise<void> {
    return this.tellSignOutsAt(`${publicUrl}/auth/backchannel-logout`);
  }

  /** Lets Keycloak keep its sign-outs from the application. */
  keepSignOuts(): Promise<void> {
    return this.tellSignOutsAt('');
  }

  private async tellSignOutsAt(url: string): Promise<void> {
    const client = await this.ownClient();
    const attributes = { ...(client.attributes as Json), 'backchannel.logout.url': url };
    await this.ask('PUT', `/clients/${client.id}`, { ...client, attributes });
  }

  async drop(): Promise<void> {
    if (this.realmName !== INSTALLED_REALM) {
      await this.letterbox?.close();
      await this.ask('DELETE', '');
      return;
    }
    const { id } = await this.ownClient();
    const sessions = (await this.ask('GET', `/clients/${id}/user-sessions?max=500`)) as { id: string }[];
    // Nobody is there any more to be told of their end.
    await this.ask('DELETE', `/clients/${id}`);
    for (const session of sessions)
      await this.ask('DELETE', `/sessions/${session.id}`).catch(() => undefined);
  }

  private async ownClient(): Promise<Json & { id: string }> {
    const [client] = (await this.ask('GET', `/clients?clientId=${this.clientId}`)) as (Json & {
      id: string;
    })[];
    if (!client) throw new Error(`Keycloak has no client ${this.clientId}`);
    return client;
  }

  private async create(realm: Json): Promise<void> {
    for (let tries = 1; ; tries++) {
      try {
        await this.askAt('POST', '/admin/realms', realm);
        return;
      } catch (error) {
        if (tries === REALM_TRIES) throw error;
      }
    }
  }

  private ask(method: string, path: string, body?: unknown): Promise<unknown> {
    return this.askAt(method, `/admin/realms/${this.realmName}${path}`, body);
  }

  private async askAt(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(base() + path, {
      method,
      headers: { Authorization: `Bearer ${await this.admin()}`, 'Content-Type': 'application/json' },
      ...(body ? { body: JSON.stringify(body) } : {}),
      signal: AbortSignal.timeout(LIMIT_MS),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`Keycloak: ${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  private async admin(): Promise<string> {
    if (!this.admission || this.admission.until < Date.now()) {
      const { access_token } = await form<Tokens>(`${base()}/realms/master/protocol/openid-connect/token`, {
        grant_type: 'password',
        client_id: 'admin-cli',
        username: engineSetting('KEYCLOAK_ADMIN_USER'),
        password: engineSetting('KEYCLOAK_ADMIN_PASSWORD'),
      });
      this.admission = { token: access_token, until: Date.now() + ADMIN_TOKEN_MS };
    }
    return this.admission.token;
  }
}

function base(): string {
  return engineSetting('KEYCLOAK_ADMIN_URL');
}

async function form<T>(url: string, fields: Record<string, string>): Promise<T> {
  const response = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams(fields),
    signal: AbortSignal.timeout(LIMIT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`Keycloak: POST ${url}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

/** The realm's file, filled in as Keycloak fills it in from its environment. */
async function realmFile(publicUrl: string): Promise<RealmFile> {
  const settings: Record<string, string> = {
    HAPPENING_PUBLIC_URL: publicUrl,
    HAPPENING_BACKCHANNEL_URL: publicUrl,
    HAPPENING_OIDC_CLIENT_SECRET: CLIENT_SECRET,
    HAPPENING_SMTP_HOST: '127.0.0.1',
  };
  const text = await readFile(join(ROOT, 'deploy/keycloak/realm-happening.json'), 'utf8');
  const filled = text.replace(
    /\$\{([A-Z_]+):?([^}]*)\}/g,
    (_, name: string, otherwise: string) => settings[name] ?? otherwise,
  );
  const { id: _, ...realm } = JSON.parse(filled) as RealmFile & { id: string };
  return realm as RealmFile;
}

/**
 * The application's client under a name, which may exchange passwords for
 * tokens, too. The audience of its access tokens is the same under any name.
 */
function application(file: RealmFile, clientId: string): Json {
  const client = file.clients.find((each) => each.clientId === 'happening');
  if (!client) throw new Error('the realm file has no client happening');
  return { ...client, clientId, directAccessGrantsEnabled: true };
}
