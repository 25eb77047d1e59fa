import type { ClientBase, Pool } from 'pg';

type Connection = Pool | ClientBase;

/** A follower's row in `subscription`. */
export interface Checkpoint {
  /** Everything up to here is applied. */
  position: number;
  /** Why it stands still; null while it works. */
  error: string | null;
  /** Failed tries of the event after `position`, by all processes. */
  failures: number;
}

interface Row {
  position: string | number;
  error: string | null;
  failures: number;
  resting: boolean;
}

const checkpointOf = ({ position, error, failures }: Row): Checkpoint => ({
  position: Number(position),
  error,
  failures,
});

export async function ensureCheckpoint(connection: Connection, name: string): Promise<void> {
  await connection.query('insert into subscription (name) values ($1) on conflict (name) do nothing', [name]);
}

export async function readCheckpoint(connection: Connection, name: string): Promise<Checkpoint> {
  const text = 'select position, error, failures, false as resting from subscription where name = $1';
  const { rows } = await connection.query<Row>({ name: 'checkpoint-read', text, values: [name] });
  return rows[0] ? checkpointOf(rows[0]) : { position: 0, error: null, failures: 0 };
}

/**
 * Takes the checkpoint for this transaction: its row lock is the leader election, and it ends with the connection.
 * Null when another process has it. `resting`: stopped by failures and not due for its next slow try.
 */
export async function claimCheckpoint(
  tx: ClientBase,
  name: string,
  restMs: number,
): Promise<(Checkpoint & { resting: boolean }) | null> {
  const text = `select position, error, failures,
      error is not null and updated_at > clock_timestamp() - $2 * interval '1 millisecond' as resting
    from subscription where name = $1 for update skip locked`;
  const { rows } = await tx.query<Row>({ name: 'checkpoint-claim', text, values: [name, restMs] });
  return rows[0] ? { ...checkpointOf(rows[0]), resting: rows[0].resting } : null;
}

export async function moveCheckpoint(tx: ClientBase, name: string, position: number): Promise<void> {
  const text = `update subscription set position = $2, error = null, failures = 0, updated_at = clock_timestamp() where name = $1`;
  await tx.query({ name: 'checkpoint-move', text, values: [name, position] });
}

/**
 * Moves the checkpoint past events that concern nobody, where it still stands at `from`. False where it does not, or
 * where an error holds it.
 */
export async function passCheckpoint(pool: Pool, name: string, from: number, to: number): Promise<boolean> {
  const text = `update subscription set position = $3, updated_at = clock_timestamp()
    where name = $1 and position = $2 and error is null and failures = 0`;
  return (await pool.query({ name: 'checkpoint-pass', text, values: [name, from, to] })).rowCount === 1;
}

/** Counts a failed try at `position`; from `maxFailures` on the row carries the error. Returns the count. */
export async function countFailure(
  pool: Pool,
  name: string,
  position: number,
  error: string,
  maxFailures: number,
): Promise<number> {
  const text = `update subscription set failures = failures + 1, updated_at = clock_timestamp(),
      error = case when failures + 1 >= $4 then $3 else error end
    where name = $1 and position = $2 returning failures`;
  const { rows } = await pool.query<{ failures: number }>(text, [name, position, error, maxFailures]);
  return rows[0]?.failures ?? 0;
}
