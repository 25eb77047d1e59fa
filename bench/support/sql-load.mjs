// The floors that speak to PostgreSQL through `pg` and nothing else.
import pg from 'pg';

/**
 * Runs tasks, each a few statements one after the other, over so many connections. Every statement is a named prepared
 * one and commits by itself.
 */
export const runTasks = async ({ url, connections, tasks }) => {
  const clients = Array.from({ length: connections }, () => new pg.Client({ connectionString: url }));
  await Promise.all(clients.map((client) => client.connect()));
  const times = [];
  let at = 0;
  const work = async (client) => {
    while (at < tasks.length) {
      const index = at++;
      const began = performance.now();
      for (const statement of tasks[index]) await client.query(statement);
      times[index] = performance.now() - began;
    }
  };
  const began = performance.now();
  await Promise.all(clients.map(work));
  const ms = performance.now() - began;
  await Promise.all(clients.map((client) => client.end()));
  return { ms, times };
};

const page = {
  name: 'scan',
  text: `select position, stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id,
    causation_id, data from event where position > $1 order by position limit $2`,
  // As text, all of them: what the driver must do at least.
  types: { getTypeParser: () => (text) => text },
};

/** Reads the whole log in pages and does nothing with it. */
export const scan = async ({ url, pageSize }) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  let [after, events, bytes] = ['0', 0, 0];
  const began = performance.now();
  for (;;) {
    const { rows } = await client.query({ ...page, values: [after, pageSize] });
    for (const row of rows) bytes += row.data.length;
    events += rows.length;
    if (rows.length < pageSize) break;
    after = rows.at(-1).position;
  }
  const ms = performance.now() - began;
  await client.end();
  return { ms, events, bytes };
};
