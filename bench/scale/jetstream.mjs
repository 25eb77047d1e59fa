// The log on NATS JetStream: NATS is killed in the middle, and the process that publishes too. Every event has to be in the
// stream exactly once, in the order of the log.
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { createPool } from '../../dist/platform/database/database.pg.js';
import { startEmbeddedPostgres } from '../../dist/platform/database/embedded-postgres.pg.js';
import { query } from '../../test/support/pair.mjs';
import { freePort } from '../../test/torture/replicas.mjs';
import { generateLog } from '../support/generated-log.mjs';
import { shown } from '../support/numbers.mjs';
import { startProgram, versionOf } from './programs.mjs';
import { startWorld, temporaryDirectory } from './world.mjs';

const stream = 'FINALITY';

/** Everything in the stream, in its order. */
const readStream = async (url) => {
  const connection = await connect({ servers: url });
  try {
    const { state } = await (await jetstreamManager(connection)).streams.info(stream);
    const consumer = await jetstream(connection).consumers.get(stream);
    const found = [];
    while (found.length < state.messages) {
      for await (const message of await consumer.fetch({ max_messages: 1000, expires: 5000 })) {
        const { id, streamId, version } = message.json();
        if (id !== message.headers.get('Nats-Msg-Id')) throw new Error('a message has another id than its event');
        found.push({ id, streamId, version });
      }
    }
    return found;
  } finally {
    await connection.close();
  }
};

const position = async (url) =>
  Number((await query(url, `select position from subscription where name = 'jetstream'`))[0]?.position ?? 0);
const last = async (url) => Number((await query(url, 'select max(position) as at from event'))[0].at ?? 0);

const caughtUp = async (url) => {
  for (const deadline = performance.now() + 120_000; (await position(url)) < (await last(url)); await delay(50))
    if (performance.now() > deadline) throw new Error('the follower did not catch up');
};

export const run = async ({ quick, say, closers }) => {
  const directory = await temporaryDirectory(closers);
  const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'data'), database: 'finality' });
  closers.push(() => postgres.stop());
  const { url } = postgres;
  const port = await freePort();
  const natsUrl = `nats://127.0.0.1:${port}`;
  let nats = null;
  const startNats = async () => {
    const args = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', join(directory, 'nats')];
    nats = await startProgram('nats-server', args, { port });
  };
  closers.push(() => nats?.kill());
  await startNats();
  const front = { pick: () => world.replicas.pick() };
  const environment = { DATABASE_URL: url, NATS_URL: natsUrl };
  const world = await startWorld({ directory, closers, front, environment });
  await world.replicas.add(2);
  const pool = createPool(url, { max: 2, statementTimeoutMs: 60_000 });
  closers.push(() => pool.end());
  const wanted = quick ? 4000 : 20_000;
  const chunks = 10;
  const faults = {
    2: ['NATS killed (SIGKILL)', () => nats.kill()],
    4: ['NATS started again', startNats],
    5: ['service killed (SIGKILL)', () => world.replicas.kill(world.replicas.all[0])],
    6: ['the other service killed (SIGKILL)', () => world.replicas.kill(world.replicas.all[1])],
    7: ['both services started again', () => Promise.all(world.replicas.all.map((each) => world.replicas.start(each)))],
    8: ['NATS killed (SIGKILL) and started again', () => nats.kill().then(startNats)],
  };
  const told = [];
  for (let at = 0; at < chunks; at += 1) {
    await generateLog(pool, { events: wanted / chunks });
    const [what, act] = faults[at] ?? [];
    if (!act) continue;
    const done = await position(url);
    await act();
    told.push(`${what} with ${shown((await last(url)) - done)} events to go`);
    say(told.at(-1));
  }
  const began = performance.now();
  const from = await position(url);
  await caughtUp(url);
  const rate = ((await last(url)) - from) / ((performance.now() - began) / 1000);
  const found = await readStream(natsUrl);
  const log = await query(url, 'select event_id as id, stream_id as "streamId" from event order by position');
  const ids = new Set(found.map(({ id }) => id));
  const missing = log.filter(({ id }) => !ids.has(id)).length;
  const twice = found.length - ids.size;
  const versions = new Map();
  const disordered = found.filter(({ streamId, version }) => {
    const before = versions.get(streamId) ?? 0;
    versions.set(streamId, version);
    return version !== before + 1;
  }).length;
  const same = found.length === log.length && found.every(({ id }, at) => id === log[at].id);
  const broken = [];
  if (missing + twice + disordered > 0 || !same)
    broken.push(`missing ${missing}, twice ${twice}, out of order ${disordered}, the same order as the log: ${same}`);
  await world.replicas.stop();
  // What was made up here is no payment that the other followers could make anything of.
  const facts = [
    `nats-server ${await versionOf('nats-server', '--version')}, two services, ${shown(log.length)} events written while: ${told.join('; ')}.`,
    `In the stream: ${shown(found.length)} messages, missing ${missing}, twice ${twice}, out of order within a payment ${disordered}; the stream's order ${same ? 'is' : 'is not'} the log's. The rest was published at ${shown(rate)} events/s, beside all other followers.`,
  ];
  return { facts, broken };
};
