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

/**
 * So many callers hand in their rows, one lot at a time each, and wait for the commit. What has come together meanwhile
 * goes as arrays in one statement, and no more than two are under way. `members` is a list of lists of rows, one for each
 * table of the statement.
 */
export const runJoined = async ({ url, callers, statement, members, batch = 256 }) => {
  const clients = [0, 1].map(() => new pg.Client({ connectionString: url }));
  await Promise.all(clients.map((client) => client.connect()));
  const idle = [...clients];
  const [times, waiting] = [[], []];
  let [next, statements] = [0, 0];
  const values = (lots) =>
    statement.columns.flatMap((columns, table) => {
      const rows = lots.flatMap(({ index }) => members[index][table]);
      return columns.map((column) => rows.map((row) => row[column]));
    });
  const pump = () => {
    while (idle.length > 0 && waiting.length > 0) {
      const [client, lots] = [idle.pop(), waiting.splice(0, batch)];
      statements++;
      const sent = client.query({ name: statement.name, text: statement.text, values: values(lots) });
      sent.then(
        () => {
          idle.push(client);
          for (const { done } of lots) done();
          queueMicrotask(pump);
        },
        (error) => lots.forEach(({ fail }) => fail(error)),
      );
    }
  };
  const caller = async () => {
    while (next < members.length) {
      const index = next++;
      const began = performance.now();
      await new Promise((done, fail) => {
        waiting.push({ index, done, fail });
        queueMicrotask(pump);
      });
      times[index] = performance.now() - began;
    }
  };
  const began = performance.now();
  await Promise.all(Array.from({ length: callers }, caller));
  const ms = performance.now() - began;
  await Promise.all(clients.map((client) => client.end()));
  return { ms, times, statements };
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
