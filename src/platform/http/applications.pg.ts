import { createHash, randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { Clock, msOf, type Instant } from '../../kernel/clock.js';
import { Ids } from '../../kernel/ids.js';
import { Refusal } from '../../kernel/refusal.js';
import { inTransaction } from '../database/database.pg.js';

/** A calling service. */
export interface Application {
  id: string;
  name: string;
}

/** A key as it can be shown: never the key itself. */
export interface KeyEntry {
  /** What tells it apart from the application's other keys: where it came from, or how it begins. */
  hint: string;
  createdAt: Instant;
  /** When it ends or has ended; null for never. */
  revokedAt: Instant | null;
}

export interface ApplicationEntry extends Application {
  createdAt: Instant;
  /** Oldest first, the last 100. */
  keys: KeyEntry[];
}

export interface RotatedKeys {
  /** The keys that end. */
  ended: KeyEntry[];
}

const namePattern = /^[a-z][a-z0-9_-]{0,63}$/;

/** Whether an application may have this name. */
export const isApplicationName = (name: string): boolean => namePattern.test(name);

export const applicationNameRule =
  '1 to 64 lower-case letters, digits, hyphens and underscores, beginning with a letter';

/** How a key is told apart from others: our mark and its first four characters. */
const hintOf = (key: string): string => `${key.slice(0, 8)}…`;

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
    const { rows } = await this.pool.query<Application & { revokedAt: Instant | null }>(
      `select a.id, a.name, k.revoked_at as "revokedAt" from api_key k join application a on a.id = k.application_id
       where k.hash = $1 and (k.revoked_at is null or k.revoked_at > $2)`,
      [hash, this.clock.now()],
    );
    this.known.delete(name);
    const [found] = rows;
    if (!found) return null;
    const { revokedAt, ...application } = found;
    this.remember(name, application, Math.min(now + cacheMs, revokedAt === null ? Infinity : msOf(revokedAt)));
    return application;
  }

  /** All applications with their keys, oldest first, 1000 at most. */
  async list(): Promise<ApplicationEntry[]> {
    const { rows } = await this.pool.query<Application & { createdAt: Instant }>(
      'select id, name, created_at as "createdAt" from application order by created_at, id limit 1000',
    );
    const { rows: keys } = await this.pool.query<KeyEntry & { applicationId: string }>(
      `select application_id as "applicationId", hint, created_at as "createdAt", revoked_at as "revokedAt" from
         (select *, row_number() over (partition by application_id order by created_at desc) as age from api_key
          where application_id = any($1)) k where age <= 100 order by created_at`,
      [rows.map(({ id }) => id)],
    );
    return rows.map((application) => ({
      ...application,
      keys: keys
        .filter(({ applicationId }) => applicationId === application.id)
        .map(({ hint, createdAt, revokedAt }) => ({ hint, createdAt, revokedAt })),
    }));
  }

  /** The application of this name or id; null where there is none. */
  async find(nameOrId: string): Promise<Application | null> {
    const { rows } = await this.pool.query<Application>(
      'select id, name from application where name = $1 or id::text = $1',
      [nameOrId],
    );
    return rows[0] ?? null;
  }

  /** An application with its first key. Throws `Refusal('conflict')` where the name is taken. */
  async create({ id, name }: Application, key: string): Promise<void> {
    const now = this.clock.now();
    const { rowCount } = await this.pool.query(
      `with made as (insert into application (id, name, created_at) values ($1, $2, $3) on conflict (name) do nothing returning id)
       insert into api_key (hash, application_id, hint, created_at) select $4, id, $5, $3 from made`,
      [id, name, now, hashOf(key), hintOf(key)],
    );
    if (rowCount !== 1) throw nameTaken(name);
  }

  /**
   * Adds a key; all others of the application end at `endsAt`, unless they end sooner. Processes that have seen a key
   * within the last two seconds go on taking it for as long.
   */
  async rotate(applicationId: string, key: string, endsAt: Instant): Promise<RotatedKeys> {
    return inTransaction(this.pool, async (tx) => {
      // One rotation at a time: the second ends what the first has added.
      await tx.query('select 1 from application where id = $1 for no key update', [applicationId]);
      const { rows: ended } = await tx.query<KeyEntry>(
        `update api_key set revoked_at = $2 where application_id = $1 and (revoked_at is null or revoked_at > $2)
         returning hint, created_at as "createdAt", revoked_at as "revokedAt"`,
        [applicationId, endsAt],
      );
      await tx.query('insert into api_key (hash, application_id, hint, created_at) values ($1, $2, $3, $4)', [
        hashOf(key),
        applicationId,
        hintOf(key),
        this.clock.now(),
      ]);
      return { ended };
    });
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

export const nameTaken = (name: string): Refusal =>
  new Refusal('conflict', `There is an application "${name}" already; a further key for it: applications rotate-key.`);

/** A new API key: 256 random bits, recognisable as ours. */
export const newApiKey = (): string => `fin_${randomBytes(32).toString('base64url')}`;
