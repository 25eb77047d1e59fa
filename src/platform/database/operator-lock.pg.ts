import { hostname, userInfo } from 'node:os';
import type { PoolClient } from 'pg';
import { createPool, type PoolSettings } from './database.pg.js';

/** Somebody else does the same thing already; the message says who, from where and since when. */
export class Busy extends Error {
  constructor(
    readonly work: string,
    holder: Holder | null,
  ) {
    super(
      holder === null
        ? `${work} is under way already; try again in a moment.`
        : `${work} is under way already: ${holder.name}${holder.address === null ? '' : ` at ${holder.address}`}, since ${holder.since}. Wait for it, or stop it there.`,
    );
    this.name = 'Busy';
  }
}

interface Holder {
  name: string;
  address: string | null;
  since: string;
}

/** Whoever this process runs as. A container may run under a number that has no name. */
export function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid-${String(process.getuid?.() ?? 'unknown')}`;
  }
}

/** How whoever works here is called in the server's list of connections: at most 63 bytes of it are kept there. */
export const operatorName = (): string => `finality ${userName()}@${hostname()} pid ${String(process.pid)}`;

const key = `hashtextextended('finality ' || $1, 0)`;

const holders = `
select a.application_name as name, host(a.client_addr) as address, a.backend_start as since
from pg_locks l join pg_stat_activity a using (pid)
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and ((l.classid::bigint << 32) | l.objid::bigint) = ${key}
  and l.database = (select oid from pg_database where datname = current_database())`;

/**
 * Does `work` while nobody else does work of this name on the database. The lock belongs to one connection and ends
 * with it, whatever becomes of this process; `work` is given that connection. Throws `Busy`.
 */
export async function withOperatorLock<T>(
  url: string,
  name: string,
  work: (client: PoolClient) => Promise<T>,
  settings: PoolSettings = {},
): Promise<T> {
  const pool = createPool(url, {
    statementTimeoutMs: 0,
    lockTimeoutMs: 1000,
    idleInTransactionTimeoutMs: 0,
    ...settings,
    max: 1,
    applicationName: operatorName(),
  });
  try {
    const client = await pool.connect();
    try {
      const { rows } = await client.query<{ free: boolean }>(`select pg_try_advisory_lock(${key}) as free`, [name]);
      if (!rows[0]?.free) throw new Busy(name, (await client.query<Holder>(holders, [name])).rows[0] ?? null);
      return await work(client);
    } finally {
      client.release(true);
    }
  } finally {
    await pool.end();
  }
}
