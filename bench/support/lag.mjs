// How far a follower is behind the log while it is written to.
import pg from 'pg';
import { percentile } from './numbers.mjs';

const lookEveryMs = 10;

/** Does `work` and answers its result with `lag`: p50 and p99 of the time until the follower had each position that was drawn (ms). */
export const withLag = async (url, follower, work) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const look = { name: 'lag', text: `select (select last_value from event_position_seq)::float8 as drawn, (select position from subscription where name = $1)::float8 as reached`, values: [follower] }; // prettier-ignore
  const seen = [];
  let over = false;
  const watching = (async () => {
    while (!over) {
      const { rows } = await client.query(look);
      seen.push({ at: performance.now(), ...rows[0] });
      await new Promise((resolve) => setTimeout(resolve, lookEveryMs));
    }
  })();
  const result = await work().finally(() => (over = true));
  await watching;
  await client.end();
  const lags = [];
  let then = 0;
  for (const { at, drawn } of seen) {
    while (then < seen.length && seen[then].reached < drawn) then++;
    if (then < seen.length) lags.push(Math.max(0, seen[then].at - at));
  }
  return { ...result, lag: { p50: percentile(lags, 0.5), p99: percentile(lags, 0.99) } };
};
