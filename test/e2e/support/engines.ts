// The four engines that `make engines-up` has started, and what one server of
// a test has there for itself: a database, a database number, a vhost, a realm
// or a client. Others may use the same engines at the same time.
import { randomUUID } from 'node:crypto';
import { Keycloak } from './keycloak.ts';
import { Vhost } from './rabbitmq.ts';
import { RedisNumber, RedisProcess } from './redis.ts';
import { engineSetting } from './settings.ts';
import { run } from './shell.ts';

export interface EnginesOptions {
  /** The server has the demo, whose people are in the installation's realm. */
  demo: boolean;
  /** A Redis of one's own, which a test may stop. */
  ownRedis: boolean;
}

/** What one server has of the engines. */
export class Engines {
  private constructor(
    readonly database: Database,
    readonly redis: RedisNumber | RedisProcess,
    readonly vhost: Vhost,
    readonly keycloak: Keycloak,
  ) {}

  static async provide(publicUrl: string, options: EnginesOptions): Promise<Engines> {
    const name = `happening_e2e_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
    const made: { drop(): Promise<void> }[] = [];
    const keep = async <T extends { drop(): Promise<void> }>(thing: Promise<T>): Promise<T> => {
      made.push(await thing);
      return thing;
    };
    try {
      return new Engines(
        await keep(Database.make(name)),
        await keep<RedisNumber | RedisProcess>(options.ownRedis ? RedisProcess.start() : RedisNumber.claim()),
        await keep(Vhost.make(name)),
        await keep(options.demo ? Keycloak.client(publicUrl, name) : Keycloak.realm(publicUrl, name)),
      );
    } catch (error) {
      await Promise.allSettled(made.map((thing) => thing.drop()));
      throw error;
    }
  }

  /** The settings of a server that uses all this. */
  get env(): Record<string, string> {
    return {
      DATABASE_URL: this.database.url,
      REDIS_URL: this.redis.url,
      AMQP_URL: this.vhost.url,
      ...this.keycloak.env,
    };
  }

  /** Removes all of it. Every part is tried, whatever the others say. */
  async drop(): Promise<void> {
    const parts = [this.database, this.redis, this.vhost, this.keycloak];
    const faults = (await Promise.allSettled(parts.map((part) => part.drop()))).flatMap((result) =>
      result.status === 'rejected' ? [result.reason as Error] : [],
    );
    if (faults.length > 0) throw new AggregateError(faults, faults.map((fault) => fault.message).join('; '));
  }
}

/** A database that belongs to the login of DATABASE_URL. */
class Database {
  private constructor(
    private readonly name: string,
    readonly url: string,
  ) {}

  static async make(name: string): Promise<Database> {
    const url = new URL(engineSetting('DATABASE_URL'));
    const owner = decodeURIComponent(url.username);
    url.pathname = `/${name}`;
    await admin(`CREATE DATABASE "${name}" OWNER "${owner}"`);
    return new Database(name, url.href);
  }

  /** Runs SQL past all policies, as somebody who looks after the installation, and answers the rows. */
  async sql(statement: string): Promise<string> {
    const url = new URL(engineSetting('POSTGRES_ADMIN_URL'));
    url.pathname = `/${this.name}`;
    return run('psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-c', statement, url.href);
  }

  async drop(): Promise<void> {
    await admin(`DROP DATABASE IF EXISTS "${this.name}" WITH (FORCE)`);
  }
}

function admin(statement: string): Promise<string> {
  return run('psql', '-XqAt', '-v', 'ON_ERROR_STOP=1', '-c', statement, engineSetting('POSTGRES_ADMIN_URL'));
}
