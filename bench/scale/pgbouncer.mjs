// The whole service through PgBouncer in transaction mode: requests, appends, followers, jobs, webhooks, and the command
// line past it; and what happens without the setting.
import { execFile } from 'node:child_process';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEmbeddedPostgres } from '../../dist/platform/database/embedded-postgres.pg.js';
import { serverAccount } from '../../dist/platform/database/postgres-programs.pg.js';
import { query } from '../../test/support/pair.mjs';
import { exchange } from '../../test/torture/http.mjs';
import { freePort } from '../../test/torture/replicas.mjs';
import { apiKey } from '../../test/torture/shop.mjs';
import { percentile, shown } from '../support/numbers.mjs';
import { startProgram, versionOf } from './programs.mjs';
import {
  caughtUp,
  eachOf,
  paidOrders,
  prove,
  sendAll,
  startCustomers,
  startWorld,
  temporaryDirectory,
} from './world.mjs';

const cli = fileURLToPath(new URL('../../bin/finality.mjs', import.meta.url));
const poolSize = 10;
/** What the service asks of each connection at its start, and a pooler has to see to in its place. */
const perConnection = [
  'statement_timeout to 5000',
  'lock_timeout to 2000',
  'idle_in_transaction_session_timeout to 10000',
  'timezone to UTC',
];

const configOf = ({ database, port, directory }) => `
[databases]
finality = host=127.0.0.1 port=${new URL(database).port} dbname=finality connect_query='${perConnection.map((each) => `set ${each}`).join('; ')}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${join(directory, 'userlist.txt')}
pool_mode = transaction
default_pool_size = ${poolSize}
max_client_conn = 1000
ignore_startup_parameters = extra_float_digits,options,statement_timeout,lock_timeout,idle_in_transaction_session_timeout
log_connections = 0
log_disconnections = 0
`;

const startPgbouncer = async (directory, database) => {
  const port = await freePort();
  const { username, password } = new URL(database);
  const file = join(directory, 'pgbouncer.ini');
  await writeFile(file, configOf({ database, port, directory }));
  await writeFile(join(directory, 'userlist.txt'), `"${username}" "${decodeURIComponent(password)}"\n`);
  for (const name of ['pgbouncer.ini', 'userlist.txt']) await chmod(join(directory, name), 0o644);
  const program = await startProgram('pgbouncer', [file], { port, account: await serverAccount(null) });
  const url = new URL(database);
  url.port = String(port);
  return { ...program, url: url.href };
};

/** Runs a command of the service with its environment; throws where it fails. */
const command = (environment, ...args) =>
  new Promise((resolve, reject) => {
    const env = { PATH: process.env.PATH, ...environment };
    execFile(process.execPath, [cli, ...args], { env }, (error, out, err) =>
      error ? reject(new Error(`${args.join(' ')}: ${out}${err}`)) : resolve(out),
    );
  });

/** Creates through the pooler with named statements: how many are not answered well. */
const withNames = async ({ world, count }) => {
  const replica = { name: 'with-names', port: await freePort() };
  Object.assign(world.environment, { DATABASE_NAMED_STATEMENTS: 'on' });
  await world.replicas.start(replica);
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
  let failed = 0;
  await eachOf(
    Array.from({ length: count }, (_, at) => at),
    16,
    async (at) => {
      const body = JSON.stringify({ orderId: `named-${at}`, amount: '10.00', currency: 'USD' });
      const answer = await exchange(replica.port, '/v1/payments', { method: 'POST', headers, body, timeoutMs: 10_000 });
      if (answer === null || answer.status >= 500) failed += 1;
    },
  );
  await world.replicas.kill(replica);
  return failed;
};

const connections = async (url) =>
  (
    await query(
      url,
      `select count(*)::int as n from pg_stat_activity where backend_type = 'client backend' and datname = 'finality'`,
    )
  )[0].n;

/** Callbacks beside orders, through the services as they are: the rate, and the connections that the server had. */
const measure = async (world, { url, count }) => {
  await sendAll(world, await paidOrders(world, count / 5), { connections: 64 });
  const orders = await paidOrders(world, count);
  await caughtUp(url);
  const customers = startCustomers(world, 4);
  let most = 0;
  const counting = setInterval(() => void connections(url).then((n) => (most = Math.max(most, n))), 200);
  const { answers, ms } = await sendAll(world, orders, { connections: 64 });
  clearInterval(counting);
  await customers.stop();
  const times = answers.map((answer) => answer.ms);
  const text = `${shown((count * 1000) / ms)} callbacks/s beside orders (p50 ${shown(percentile(times, 0.5))} ms, p99 ${shown(percentile(times, 0.99))} ms), at most ${most} connections at the server`;
  return text;
};

const restart = async ({ replicas, environment }, settings) => {
  await replicas.stop();
  Object.assign(environment, settings);
  for (const replica of replicas.all) await replicas.start(replica);
};

export const run = async ({ quick, say, closers }) => {
  const directory = await temporaryDirectory(closers);
  const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'data'), database: 'finality' });
  closers.push(() => postgres.stop());
  const { url } = postgres;
  const pooler = await startPgbouncer(directory, url);
  closers.push(() => pooler.stop());
  const front = { pick: () => world.replicas.pick() };
  const straight = { DATABASE_URL: url };
  const pooled = { DATABASE_URL: pooler.url, DATABASE_DIRECT_URL: url, DATABASE_NAMED_STATEMENTS: 'off' };
  const world = await startWorld({ directory, closers, front, environment: straight });
  await world.replicas.add(2);
  await world.shop.open();
  const count = quick ? 300 : 2000;
  const without = await measure(world, { url, count });
  say(`without a pooler: ${without}`);
  await restart(world, pooled);
  const through = await measure(world, { url, count });
  say(`through PgBouncer: ${through}`);
  await caughtUp(url);
  const commands = { ...world.environment, LOG_LEVEL: 'error' };
  await command(commands, 'verify');
  await command(commands, 'replay', '--projection', 'orders');
  const givenUp = 'select count(*)::int as n from graphile_worker.jobs where attempts >= max_attempts';
  const [{ n: jobs }] = await query(url, givenUp);
  say('proving');
  const proof = await prove(world, url);
  const named = quick ? 60 : 400;
  const failed = await withNames({ world, count: named });
  if (jobs > 0) proof.broken.push(`${jobs} jobs were given up`);
  if (failed === 0) proof.broken.push('named statements made no trouble: is this pooler in transaction mode?');
  const facts = [
    `Two services without a pooler: ${without}.`,
    `The same two through PgBouncer ${await versionOf('pgbouncer', '--version')}, \`pool_mode=transaction\`, \`default_pool_size=${poolSize}\`, DATABASE_NAMED_STATEMENTS=off: ${through}, those past the pooler among them.`,
    `Acknowledged in both ${shown(proof.callbacks)} callbacks and ${shown(proof.creates)} creates: lost ${proof.lost}, applied twice ${proof.twice}, read models that differ from a rebuild ${proof.modelsThatDiffer}; ${shown(world.shop.webhooks)} webhooks; \`verify\` and \`replay --projection orders\` went through. What callers saw and repeated: ${proof.troubles}.`,
    `Through the pooler with named statements: ${failed} of ${named} creates were answered 5xx or not at all. That is what the setting is for.`,
  ];
  return { facts, broken: proof.broken };
};
