// A primary with a synchronous standby. The primary's machine is "lost" under load; whoever watches promotes the standby,
// as Patroni does, and HAProxy follows. Then the old primary comes back by mistake.
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { migrate } from '../../dist/platform/database/migrate.pg.js';
import { query, startPair } from '../../test/support/pair.mjs';
import { freePort } from '../../test/torture/replicas.mjs';
import { shown } from '../support/numbers.mjs';
import { primaryConfig, startHaproxy, versionOf } from './programs.mjs';
import { paidOrders, prove, sendPaced, startCustomers, startWorld, temporaryDirectory } from './world.mjs';

const lookEveryMs = 200;
const failuresAtMost = 3;

/** Looks at the leader, promotes the other one, and tells HAProxy which one leads: what Patroni and its store do. */
class Watch {
  events = [];
  checkPorts = [];

  constructor({ primary, standby }) {
    Object.assign(this, { leader: primary, standby, servers: [primary, standby] });
  }

  async open() {
    for (const server of this.servers) {
      const door = createServer((_, response) => response.writeHead(server === this.leader ? 200 : 503).end());
      await new Promise((resolve) => door.listen(0, '127.0.0.1', resolve));
      this.checkPorts.push(door.address().port);
      this.doors = [...(this.doors ?? []), door];
    }
    this.watching = this.watch();
  }

  async watch() {
    for (let failures = 0; !this.closed; await delay(lookEveryMs)) {
      const answers = await query(this.leader.url, 'select 1').then(
        () => true,
        () => false,
      );
      failures = answers ? 0 : failures + 1;
      if (failures < failuresAtMost || this.leader === this.standby) continue;
      // The fence first: nobody is led to the old one any more, whatever becomes of it.
      this.leader = this.standby;
      this.detectedAt = performance.now();
      await query(this.standby.url, 'select pg_promote(true, 30)');
      this.promotedAt = performance.now();
    }
  }

  async close() {
    this.closed = true;
    await this.watching;
    for (const door of this.doors) {
      door.closeAllConnections();
      door.close();
    }
  }
}

/** The old primary is started again, as it was. It is given work directly, and must acknowledge none of it. */
const oldPrimary = async ({ primary }) => {
  await primary.start({ wal_keep_size: '1GB' });
  const count = async () => (await query(primary.url, 'select count(*)::int as n from event'))[0].n;
  const before = await count();
  const url = new URL(primary.url);
  url.searchParams.set('options', '-c lock_timeout=1000');
  const write = query(url.href, `insert into callback_rejection values (now(), 'a write to the old primary', 1)`).then(
    () => 'acknowledged',
    () => 'refused',
  );
  const outcome = await Promise.race([write, delay(3000, 'not acknowledged')]);
  return { before, after: await count(), outcome };
};

export const run = async ({ quick, say, closers }) => {
  const directory = await temporaryDirectory(closers);
  const pair = await startPair(directory, { synchronous: true });
  closers.push(() => pair.stop());
  await migrate(pair.primary.url);
  const watch = new Watch(pair);
  await watch.open();
  closers.push(() => watch.close());
  const port = await freePort();
  const ports = [pair.primary.port, pair.standby.port];
  const haproxy = await startHaproxy(directory, {
    port,
    config: primaryConfig({ port, ports, checkPorts: watch.checkPorts }),
  });
  closers.push(() => haproxy.stop());
  const databaseUrl = new URL(pair.primary.url);
  databaseUrl.port = String(port);
  const front = { pick: () => world.replicas.pick() };
  const world = await startWorld({ directory, closers, front, environment: { DATABASE_URL: databaseUrl.href } });
  await world.replicas.add(2);
  await world.shop.open();
  say('two services, two servers and HAProxy are up');
  const perSecond = quick ? 60 : 200;
  const orders = await paidOrders(world, perSecond * 15);
  const customers = startCustomers(world, 4);
  const load = sendPaced(world, orders, { perSecond });
  await delay(4000);
  await pair.primary.kill();
  const killedAt = performance.now();
  say('the primary is gone');
  await delay(4000);
  say('the old primary comes back');
  const old = await oldPrimary(pair);
  const { answers } = await load;
  await customers.stop();
  const oks = answers.filter(({ ok }) => ok).map(({ at }) => at);
  const lastBefore = Math.max(...oks.filter((at) => at <= watch.promotedAt));
  const firstAfter = Math.min(...oks.filter((at) => at > watch.promotedAt));
  const longest = oks.sort((a, b) => a - b).reduce((most, at, n) => Math.max(most, n === 0 ? 0 : at - oks[n - 1]), 0);
  say('proving, in the promoted server');
  const proof = await prove(world, pair.standby.url);
  if (old.after !== old.before) proof.broken.push('the old primary was written to by the service');
  if (old.outcome === 'acknowledged') proof.broken.push('the old primary acknowledged a write');
  const facts = [
    `PostgreSQL 18 primary and synchronous standby, HAProxy ${await versionOf('haproxy', '-v')} following the primary, two services, ${perSecond} callbacks/s and creates: primary killed (SIGKILL of every process), detected after ${shown(watch.detectedAt - killedAt)} ms (${failuresAtMost} looks, one each ${lookEveryMs} ms), promoted in ${shown(watch.promotedAt - watch.detectedAt)} ms.`,
    `Outage for callbacks, from the last acknowledged before to the first after: ${shown(firstAfter - lastBefore)} ms (longest gap between two acknowledgements ${shown(longest)} ms). No service was restarted.`,
    `Acknowledged ${shown(proof.callbacks)} callbacks and ${shown(proof.creates)} creates; held against the promoted server row by row: lost ${proof.lost}, applied twice ${proof.twice}, read models that differ from a rebuild ${proof.modelsThatDiffer}. What callers saw and repeated: ${proof.troubles}.`,
    `The old primary, started again as it was while the load went on: ${old.after - old.before} events written to it, and a write that was forced upon it was ${old.outcome} (it waits for a standby that it no longer has).`,
  ];
  return { facts, broken: proof.broken };
};
