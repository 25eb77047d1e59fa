import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { Clock, msOf } from '../../kernel/clock.js';
import { Ids } from '../../kernel/ids.js';

/** A calling service. */
export interface Application {
  id: string;
  name: string;
}

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest();

/** How long a key that was found stays known: the time within which a revocation takes hold. */
const cacheMs = 2000;
const cacheSize = 10_000;

/** The calling services and their keys. A key is stored as its hash and can be shown once only, when it is made. */
@Injectable()
export class Applications {
  private readonly known = new Map<string, { application: Application; until: number }>();

  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly ids: Ids,
  ) {}

  /** The application that a key belongs to; null where it is unknown or revoked. */
  async byKey(key: string): Promise<Application | null> {
    const hash = hashOf(key);
    const name = hash.toString('base64');
    const cached = this.known.get(name);
    const now = msOf(this.clock.now());
    if (cached && cached.until > now) return cached.application;
    const { rows } = await this.pool.query<Application>(
      'select a.id, a.name from api_key k join application a on a.id = k.application_id where k.hash = $1 and k.revoked_at is null',
      [hash],
    );
    const application = rows[0] ?? null;
    this.known.delete(name);
    if (application) this.remember(name, application, now + cacheMs);
    return application;
  }

  /** Makes sure that `application` exists and that `key` is its one key of that hint; an earlier one of the same hint ends. */
  async ensure(name: string, key: string, hint: string): Promise<Application> {
    const now = this.clock.now();
    await this.pool.query(
      'insert into application (id, name, created_at) values ($1, $2, $3) on conflict (name) do nothing',
      [this.ids.next(), name, now],
    );
    const { rows } = await this.pool.query<Application>('select id, name from application where name = $1', [name]);
    const [application] = rows;
    if (!application) throw new Error(`application ${name} vanished`);
    await this.pool.query(
      `with ended as (update api_key set revoked_at = $3 where application_id = $1 and hint = $4 and hash <> $2 and revoked_at is null)
       insert into api_key (hash, application_id, hint, created_at) values ($2, $1, $4, $3)
       on conflict (hash) do update set revoked_at = null where api_key.application_id = excluded.application_id`,
      [application.id, hashOf(key), now, hint],
    );
    return application;
  }

  private remember(name: string, application: Application, until: number): void {
    if (this.known.size >= cacheSize) this.known.clear();
    this.known.set(name, { application, until });
  }
}

/** A new API key: 256 random bits, recognisable as ours. */
export const newApiKey = (): string => `fin_${randomBytes(32).toString('base64url')}`;
