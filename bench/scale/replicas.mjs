// Any number of replicas behind HAProxy on one database, one killed and one restarted under load.
import { join } from 'node:path';
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { startEmbeddedPostgres } from '../../dist/platform/database/embedded-postgres.pg.js';
import { freePort } from '../../test/torture/replicas.mjs';
import { percentile, shown } from '../support/numbers.mjs';
import { replicasConfig, startHaproxy, versionOf } from './programs.mjs';
import {
  caughtUp,
  cpuSeconds,
  paidOrders,
  prove,
  sendAll,
  startCustomers,
  startWorld,
  temporaryDirectory,
} from './world.mjs';

const steps = [1, 2, 4];

/** The rate and the cost of callbacks with the replicas that are up. */
const measure = async (world, { url, postmaster, haproxy, count }) => {
  const orders = await paidOrders(world, count);
  await caughtUp(url);
  const pids = world.replicas.all.map(({ child }) => child.pid);
  const cpu = async () => ({
    service: (await Promise.all(pids.map((pid) => cpuSeconds(pid)))).reduce((sum, each) => sum + each, 0),
    postgres: await cpuSeconds(postmaster, true),
    haproxy: await cpuSeconds(haproxy),
  });
  const before = await cpu();
  const { answers, ms } = await sendAll(world, orders, { connections: 64 });
  const after = await cpu();
  const each = (name) => ((after[name] - before[name]) * 1000) / count;
  const times = answers.map((answer) => answer.ms);
  return {
    rate: (count * 1000) / ms,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
    service: each('service'),
    postgres: each('postgres'),
    haproxy: each('haproxy'),
  };
};

const chaos = async (world, { orders, say }) => {
  const { replicas } = world;
  const customers = startCustomers(world, 16);
  const load = sendAll(world, orders, { connections: 32 });
  await delay(1500);
  const [, second, third] = replicas.all;
  say('killing a replica (SIGKILL)');
  await replicas.kill(second);
  await delay(2500);
  say('stopping another (SIGTERM) and starting it again');
  third.wanted = false;
  third.child.kill('SIGTERM');
  while (third.child.exitCode === null && third.child.signalCode === null) await delay(20);
  const code = third.child.exitCode;
  await replicas.start(third);
  await replicas.start(second);
  await delay(1500);
  await customers.stop();
  const { ms } = await load;
  if (code !== 0) world.broken.push(`the replica that was stopped ended with ${code}`);
  return ms;
};

export const run = async ({ quick, say, closers }) => {
  const directory = await temporaryDirectory(closers);
  const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'data'), database: 'finality' });
  closers.push(() => postgres.stop());
  const { url } = postgres;
  const postmaster = Number(
    (await readFile(join(postgres.directory, 'cluster/postmaster.pid'), 'utf8')).split('\n')[0],
  );
  const port = await freePort();
  const world = await startWorld({
    directory,
    closers,
    front: { pick: () => port },
    environment: { DATABASE_URL: url },
  });
  const ports = await Promise.all(steps.concat(0).map(() => freePort()));
  world.replicas.all = [];
  const haproxy = await startHaproxy(directory, { port, config: replicasConfig({ port, ports }) });
  closers.push(() => haproxy.stop());
  const facts = [
    `HAProxy ${await versionOf('haproxy', '-v')} before the replicas, 64 connections, one callback a payment.`,
  ];
  for (const count of steps) {
    while (world.replicas.all.length < count) {
      const at = world.replicas.all.length;
      const replica = { name: `service-${at + 1}`, port: ports[at] };
      world.replicas.all.push(replica);
      await world.replicas.start(replica);
    }
    await untilServed(world);
    if (count === 1) await world.shop.open();
    // The first round warms up what has just started.
    await measure(world, { url, postmaster, haproxy: haproxy.pid, count: quick ? 200 : 1000 });
    const found = await measure(world, { url, postmaster, haproxy: haproxy.pid, count: quick ? 300 : 2000 });
    facts.push(
      `${count} ${count === 1 ? 'replica' : 'replicas'}: ${shown(found.rate)} callbacks/s (p50 ${shown(found.p50)} ms, p99 ${shown(found.p99)} ms); processor time of a callback: services ${shown(found.service)} ms, PostgreSQL ${shown(found.postgres)} ms, HAProxy ${shown(found.haproxy)} ms.`,
    );
    say(facts.at(-1));
  }
  const before = world.troubles.total;
  const orders = await paidOrders(world, quick ? 1500 : 4000);
  await chaos(world, { orders, say });
  say('proving');
  const proof = await prove(world, url);
  facts.push(
    `One of four killed (SIGKILL) and started again, another stopped (SIGTERM) and started again, under callbacks and creates: ${shown(proof.callbacks)} callbacks and ${shown(proof.creates)} creates acknowledged in all, lost ${proof.lost}, applied twice ${proof.twice}, read models that differ from a rebuild ${proof.modelsThatDiffer}. What callers saw and repeated: ${proof.troubles}; before the kill ${before}.`,
  );
  return { facts, broken: proof.broken };
};

/** The proxy has seen every replica. */
const untilServed = async ({ replicas }) => {
  for (const replica of replicas.all) while (!(await replicas.isReady(replica))) await delay(50);
  await delay(1500);
};
