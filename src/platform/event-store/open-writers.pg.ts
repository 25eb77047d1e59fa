import type { Pool } from 'pg';

/** A transaction that has written to the event log, or is about to, and has not ended. */
export interface OpenWriter {
  /** Its process in the database server. */
  pid: number;
  /** How its connection calls itself. */
  application: string;
  /** How long it has been open. */
  seconds: number;
}

const text = `
select a.pid, a.application_name as application, extract(epoch from clock_timestamp() - a.xact_start)::integer as seconds
from pg_stat_activity a
where a.xact_start <= clock_timestamp() - $1 * interval '1 second' and a.pid in
  (select pid from pg_locks where locktype = 'relation' and relation = 'event'::regclass and mode = 'RowExclusiveLock'
     and granted and database = (select oid from pg_database where datname = current_database()))
order by a.xact_start`;

/** Transactions on the event log that are at least so old, oldest first. The log is read up to them and no further. */
export async function openWriters(pool: Pool, olderThanSeconds: number): Promise<OpenWriter[]> {
  return (await pool.query<OpenWriter>(text, [olderThanSeconds])).rows;
}
