import type { Pool } from 'pg';

/**
 * Repeats one payment's history under new ids and order numbers, as if it had happened `count` times, neighbours mixed
 * together as in a real log. The hashes are those of the original: nothing here may look at the chain.
 */
export async function repeatPayment(pool: Pool, id: string, orderId: string, count: number): Promise<void> {
  await pool.query('set statement_timeout = 0');
  await pool.query(
    `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
     select (case when stream_id = $1::uuid then copy else overlay(copy placing '8' from 15) end)::uuid, version, gen_random_uuid(),
       type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id,
       replace(replace(data::text, $1::text, copy), $2::text, $2 || '-' || n)::json, hash
     from (select n, overlay($1::text placing lpad(to_hex(n), 12, '0') from 25) as copy from generate_series(1, $3::integer) n) copies,
       (select * from event where stream_id in ($1::uuid, overlay($1::text placing '8' from 15)::uuid)) original
     order by n / 20, original.position, n`,
    [id, orderId, count],
  );
}
