// Lists and orders on a standby, each asked for by the position that the caller's own write was answered with.
import { setTimeout as delay } from 'node:timers/promises';
import { migrate } from '../../dist/platform/database/migrate.pg.js';
import { query, startPair } from '../../test/support/pair.mjs';
import { exchange, jsonOf } from '../../test/torture/http.mjs';
import { apiKey } from '../../test/torture/shop.mjs';
import { percentile, shown } from '../support/numbers.mjs';
import { eachOf, prove, startCustomers, startWorld, temporaryDirectory } from './world.mjs';

const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
const lag = 'select wal_writer_delay from (select setting as wal_writer_delay from pg_settings where name = $1) s';

/** Lists that each server has answered so far, by the service's own count. */
const answered = async ({ front }) => {
  const { text } = await exchange(front.pick(), '/metrics');
  const of = (server) =>
    Number(new RegExp(`^finality_list_reads_total\\{server="${server}"\\} (\\d+)`, 'm').exec(text)?.[1]);
  return { standby: of('standby'), primary: of('primary') };
};

/** Writes, and reads its own write at once; answers the time of the read, and whether the write was in it. */
const writeThenRead = async ({ shop, front }, name) => {
  const body = { orderId: name, amount: '10.00', currency: 'USD' };
  const order = { orderId: name, kind: 'read', due: false, id: null, paid: false };
  shop.orders.push(order);
  const { id, position } = jsonOf(await shop.insist('POST', '/v1/payments', body));
  order.id = id;
  const began = performance.now();
  const path = `/v1/payments?orderId=${name}&minPosition=${position}`;
  const list = jsonOf(await exchange(front.pick(), path, { headers }));
  return { ms: performance.now() - began, fresh: list?.items?.length === 1 };
};

const phase = async (world, name, count) => {
  const before = await answered(world);
  const reads = [];
  const names = Array.from({ length: count }, (_, at) => `${name}-${at}`);
  await eachOf(names, 4, async (each) => reads.push(await writeThenRead(world, each)));
  const after = await answered(world);
  const times = reads.map(({ ms }) => ms);
  return {
    stale: reads.filter(({ fresh }) => !fresh).length,
    text: `${count} reads after own writes: ${after.standby - before.standby} from the standby, ${after.primary - before.primary} from the primary, without the own write ${reads.filter(({ fresh }) => !fresh).length}; p50 ${shown(percentile(times, 0.5))} ms, p99 ${shown(percentile(times, 0.99))} ms`,
  };
};

/** Plain lists, as fast as eight callers get them. */
const listRate = async ({ front }, seconds) => {
  let count = 0;
  const end = performance.now() + seconds * 1000;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      while (performance.now() < end) {
        await exchange(front.pick(), '/v1/payments?limit=20', { headers });
        count += 1;
      }
    }),
  );
  return count / seconds;
};

export const run = async ({ quick, say, closers }) => {
  const directory = await temporaryDirectory(closers);
  const pair = await startPair(directory);
  closers.push(() => pair.stop());
  const { url } = pair.primary;
  await migrate(url);
  const front = { pick: () => world.replicas.pick() };
  const environment = { DATABASE_URL: url, DATABASE_STANDBY_URL: pair.standby.url };
  const world = await startWorld({ directory, closers, front, environment });
  await world.replicas.add(1);
  await world.shop.open();
  const count = quick ? 40 : 300;
  const facts = [];
  const [stale, broken] = [[], []];
  const tell = (title, { stale: missed, text }) => {
    stale.push(missed);
    facts.push(`${title}: ${text}.`);
    say(facts.at(-1));
  };
  await delay(1500);
  const [{ wal_writer_delay: usual }] = await query(url, lag, ['wal_writer_delay']);
  tell(`Standby up, \`wal_writer_delay\` ${usual} ms (the default)`, await phase(world, 'usual', count));
  await query(url, `alter system set wal_writer_delay = '10ms'`);
  await query(url, 'select pg_reload_conf()');
  tell('The same with `wal_writer_delay = 10ms` on the primary', await phase(world, 'quick', count));
  const customers = startCustomers(world, 4);
  tell('Beside orders that are paid', await phase(world, 'busy', count));
  await customers.stop();
  const share = await answered(world);
  const rate = await listRate(world, quick ? 1 : 5);
  const later = await answered(world);
  facts.push(
    `Lists of 20 without a position: ${shown(rate)} /s, ${later.standby - share.standby} from the standby, ${later.primary - share.primary} from the primary: that work leaves the primary.`,
  );
  await query(pair.standby.url, 'select pg_wal_replay_pause()');
  tell('Standby stands still', await phase(world, 'paused', 8));
  await delay(6500);
  tell('Seven seconds later it is left out', await phase(world, 'left', 8));
  await query(pair.standby.url, 'select pg_wal_replay_resume()');
  await delay(1500);
  await pair.standby.kill();
  tell('Standby killed', await phase(world, 'killed', 8));
  say('proving');
  const proof = await prove(world, url);
  if (stale.some((missed) => missed > 0)) broken.push(`reads without the own write: ${stale.join(', ')}`);
  return { facts, broken: [...proof.broken, ...broken] };
};
