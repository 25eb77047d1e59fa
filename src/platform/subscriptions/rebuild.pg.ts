import { escapeIdentifier, type ClientBase, type Pool, type PoolClient } from 'pg';
import { createPool } from '../database/database.pg.js';
import { LogReader } from '../event-store/log-reader.pg.js';
import { ensureCheckpoint, moveCheckpoint, readCheckpoint } from './checkpoint.pg.js';
import type { Projection } from './projection.js';
import {
  createShadow,
  digestOf,
  dropShadow,
  indexShadow,
  swapIn,
  type Shadow,
  type TableDigest,
} from './shadow-tables.pg.js';

export interface RebuildProgress {
  position: number;
  /** Where the log ends now. */
  total: number;
  /** Events applied per second so far. */
  perSecond: number;
}

export interface RebuildOptions {
  /** Compare with the live tables at the same position, and swap nothing. */
  dryRun?: boolean;
  onProgress?: (progress: RebuildProgress) => void;
  pageSize?: number;
}

export interface RebuiltTable {
  table: string;
  live: TableDigest;
  rebuilt: TableDigest;
  same: boolean;
}

export interface RebuildResult {
  /** Everything up to here is in the rebuilt tables. */
  position: number;
  events: number;
  /** Filled by a dry run only. */
  tables: RebuiltTable[];
}

export class RebuildInProgress extends Error {}

const swapAttempts = 10;

/**
 * Rebuilds a projection from the whole log beside the live tables, which serve readers until the new ones take their
 * place in one short transaction. Only a `Projection` can be given: a reactor would act again.
 */
export async function rebuild(
  url: string,
  projection: Projection,
  options: RebuildOptions = {},
): Promise<RebuildResult> {
  if (!/^[a-z][a-z0-9_]{0,40}$/.test(projection.name))
    throw new TypeError('a projection is named in lower case, digits and _');
  const pool = createPool(url, {
    max: 3,
    statementTimeoutMs: 0,
    lockTimeoutMs: 1000,
    applicationName: 'finality rebuild',
  });
  try {
    return await onlyOnce(pool, projection.name, (client) => new Rebuild(pool, client, projection, options).run());
  } finally {
    await pool.end();
  }
}

/** A session's advisory lock: it holds over many transactions and ends with the connection. */
async function onlyOnce<T>(pool: Pool, name: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ free: boolean }>(
      `select pg_try_advisory_lock(hashtextextended('rebuild ' || $1, 0)) as free`,
      [name],
    );
    if (!rows[0]?.free) throw new RebuildInProgress(`${name} is being rebuilt already`);
    return await work(client);
  } finally {
    client.release(true);
  }
}

class Rebuild {
  private readonly log: LogReader;
  private readonly pageSize: number;
  private position = 0;
  private events = 0;
  private readonly startedAt = performance.now();

  constructor(
    private readonly pool: Pool,
    private readonly client: ClientBase & PoolClient,
    private readonly projection: Projection,
    private readonly options: RebuildOptions,
  ) {
    this.log = new LogReader(pool);
    this.pageSize = options.pageSize ?? 2000;
  }

  async run(): Promise<RebuildResult> {
    const { name, tables } = this.projection;
    await ensureCheckpoint(this.pool, name);
    const shadow = await createShadow(this.client, name, tables);
    try {
      await this.transaction(async () => {
        await this.redirect(shadow);
        await this.projection.reset(this.client);
      });
      await this.catchUp(shadow);
      await indexShadow(this.client, shadow);
      return await this.finish(shadow);
    } finally {
      await dropShadow(this.client, shadow).catch(() => undefined);
    }
  }

  private async finish(shadow: Shadow): Promise<RebuildResult> {
    for (let attempt = 1; ; attempt++) {
      await this.catchUp(shadow);
      const before = { position: this.position, events: this.events };
      try {
        const tables = await this.transaction(() => (this.options.dryRun ? this.compare(shadow) : this.swap(shadow)));
        return { position: this.position, events: this.events, tables };
      } catch (error) {
        Object.assign(this, before);
        if (!isLockTimeout(error) || attempt === swapAttempts) throw error;
      }
    }
  }

  /** Applies pages, each in its own transaction, until less than a page is missing. The next page is read meanwhile. */
  private async catchUp(shadow: Shadow): Promise<void> {
    let upTo = await this.end();
    let next = this.log.read(this.position, this.pageSize, upTo);
    for (;;) {
      const events = await next;
      const last = events.at(-1)?.position;
      const full = events.length === this.pageSize;
      if (last === undefined) return;
      upTo = Math.max(upTo, await this.end());
      next = full ? this.log.read(last, this.pageSize, upTo) : Promise.resolve([]);
      next.catch(() => undefined);
      await this.transaction(() => this.apply(shadow, events));
      this.options.onProgress?.({ position: this.position, total: upTo, perSecond: this.perSecond() });
      if (!full) return;
    }
  }

  /** A dry run stays behind the live tables, so that both can be brought to the same position. */
  private async end(): Promise<number> {
    if (this.options.dryRun) return (await readCheckpoint(this.pool, this.projection.name)).position;
    return this.log.watermark();
  }

  private async apply(shadow: Shadow, events: Parameters<Projection['apply']>[1]): Promise<void> {
    await this.redirect(shadow);
    await this.projection.apply(this.client, events);
    this.position = events.at(-1)?.position ?? this.position;
    this.events += events.length;
  }

  private async redirect({ schema, live }: Shadow): Promise<void> {
    await this.client.query(
      `set local search_path to ${escapeIdentifier(schema)}, ${escapeIdentifier(live)}; set local synchronous_commit = off`,
    );
  }

  /** With the checkpoint's row locked the live tables stand still; brings the new ones to `upTo`. */
  private async drain(shadow: Shadow, upTo: number): Promise<void> {
    for (;;) {
      const events = await this.log.readWith(this.client, this.position, this.pageSize, upTo);
      if (events.length > 0) await this.apply(shadow, events);
      if (events.length < this.pageSize) break;
    }
    await this.client.query(
      `set local search_path to ${escapeIdentifier(shadow.live)}; set local synchronous_commit = on`,
    );
  }

  private async lockCheckpoint(): Promise<number> {
    const { name } = this.projection;
    const { rows } = await this.client.query<{ position: string }>(
      'select position from subscription where name = $1 for update',
      [name],
    );
    return Number(rows[0]?.position ?? 0);
  }

  private async swap(shadow: Shadow): Promise<RebuiltTable[]> {
    // Another process may have proved more of the log complete than this one has seen yet.
    const upTo = Math.max(await this.lockCheckpoint(), await this.log.watermark());
    await this.drain(shadow, upTo);
    await swapIn(this.client, shadow);
    await moveCheckpoint(this.client, this.projection.name, upTo);
    this.position = upTo;
    return [];
  }

  private async compare(shadow: Shadow): Promise<RebuiltTable[]> {
    await this.drain(shadow, await this.lockCheckpoint());
    const compared: RebuiltTable[] = [];
    for (const table of shadow.tables) {
      const live = await digestOf(this.client, shadow.live, table);
      const rebuilt = await digestOf(this.client, shadow.schema, table);
      compared.push({ table, live, rebuilt, same: live.rows === rebuilt.rows && live.digest === rebuilt.digest });
    }
    return compared;
  }

  private async transaction<T>(work: () => Promise<T>): Promise<T> {
    await this.client.query('begin');
    try {
      const result = await work();
      await this.client.query('commit');
      return result;
    } catch (error) {
      await this.client.query('rollback').catch(() => undefined);
      throw error;
    }
  }

  private perSecond(): number {
    return Math.round((this.events * 1000) / Math.max(performance.now() - this.startedAt, 1));
  }
}

const isLockTimeout = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === '55P03';
