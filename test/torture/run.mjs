// Tortures the service with real processes: payments are ordered and paid without pause while the service and PostgreSQL
// are killed (SIGKILL) and connections are cut, over and over. Then a checker proves from the database, from the shop's
// record and from the gateway's memory that nothing acknowledged was lost and nothing was done twice.
//
//   npm run torture [-- --rounds 30] [--minutes M] [--self-test] [--mutant NAME] [--keep]
//
// Ends with the checker's report, and with 1 where anything broke: it then names what, the ids and where the logs are.
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { check } from './checker.mjs';
import { merchantKey, payoutKey, startGateway } from './gateway.mjs';
import { mutants } from './mutants.mjs';
import { query, startPostgres, startWay } from './postgres.mjs';
import { Replicas } from './replicas.mjs';
import { selfTest } from './self-test.mjs';
import { apiKey, Shop } from './shop.mjs';
import { strand } from './stuck.mjs';

const usage = `usage: npm run torture [-- --rounds N | --minutes M] [--self-test] [--mutant ${mutants.join('|')}] [--keep]`;
/** What the rounds do, in turn. */
const pattern = [
  'service',
  'postgres',
  'replica',
  'cuts',
  'service',
  'postgres',
  'replica',
  'service',
  'postgres',
  'replica',
];
/** A reply has to be there again so soon after PostgreSQL takes connections. */
const recoveryMs = 5000;
const stuckMs = 60_000;
/** Leases end after 45 s: then the stranded work is taken up, and no kill falls upon it a second time. */
const leasesEndMs = 40_000;
const quietWithinMs = 180_000;
/** Below so many rounds no order waits for a look, which comes after a minute. */
const shortRun = 10;

const options = (() => {
  try {
    const { values } = parseArgs({
      options: {
        rounds: { type: 'string' },
        minutes: { type: 'string' },
        mutant: { type: 'string', default: '' },
        'self-test': { type: 'boolean', default: false },
        keep: { type: 'boolean', default: false },
      },
    });
    const { mutant, keep } = values;
    if (mutant !== '' && !mutants.includes(mutant)) throw new Error(`no such mutant: ${mutant}`);
    for (const name of ['rounds', 'minutes'])
      if (values[name] !== undefined && !/^\d{1,5}$/.test(values[name]))
        throw new Error(`--${name} takes a whole number`);
    const minutes = values.minutes === undefined ? null : Number(values.minutes);
    const rounds = values.rounds === undefined ? (minutes === null ? 30 : Infinity) : Number(values.rounds);
    return { rounds, minutes, mutant, keep, selfTest: values['self-test'] };
  } catch (error) {
    console.error(`${error.message}\n${usage}`);
    process.exit(64);
  }
})();

const began = performance.now();
const say = (line) => console.log(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}`);
const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
const whole = (number) => number.toLocaleString('en-US');

/** What broke, with the ids; the first few of each kind are kept. */
const breaks = new Map();
const broken = (what, ids) => breaks.set(what, [...(breaks.get(what) ?? []), ...ids].slice(0, 20));

const closers = [];
const counts = { rounds: 0, postgres: 0, cutRounds: 0 };
const slowest = { postgres: 0, answer: 0 };
let interrupted = 0;
let directory = null;
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
])
  process.on(signal, () => (interrupted ||= code));

const build = async () => {
  directory = await mkdtemp(join(tmpdir(), 'finality-torture-'));
  await chmod(directory, 0o755);
  const logs = join(directory, 'logs');
  await mkdir(logs);
  const postgres = await startPostgres(join(directory, 'data'));
  closers.push(() => postgres.stop());
  const way = await startWay(postgres.url);
  closers.push(() => way.close());
  const environment = {
    GATEWAY: 'sandbox',
    DATABASE_URL: way.url,
    DATA_DIR: directory,
    API_KEY: apiKey,
    OXAPAY_MERCHANT_API_KEY: merchantKey,
    OXAPAY_PAYOUT_API_KEY: payoutKey,
    LOG_LEVEL: 'info',
    MUTANT: options.mutant,
  };
  const replicas = new Replicas({ environment, logs, broken });
  const gateway = await startGateway(replicas, broken);
  closers.push(() => gateway.close());
  Object.assign(environment, { SANDBOX_PORT: String(gateway.apiPort), PUBLIC_URL: gateway.publicUrl });
  closers.push(() => replicas.stop());
  await replicas.add(2);
  const shop = new Shop({ replicas, gateway, broken, silentOrders: options.rounds > shortRun });
  await shop.open();
  closers.push(() => shop.receiver.close());
  return { logs, postgres, way, replicas, gateway, shop, url: postgres.url };
};

/** The milliseconds until a write is acknowledged again. */
const untilAnswer = async ({ shop }) => {
  const since = performance.now();
  await shop.insist('PUT', '/v1/policies/torture', { paidWhen: { rule: 'settled' } });
  return performance.now() - since;
};

const deeds = {
  service: async (world) => {
    await world.replicas.kill(...world.replicas.all);
    await Promise.all(world.replicas.all.map((replica) => world.replicas.start(replica)));
  },
  replica: async ({ replicas }) => {
    const victim = replicas.all[counts.rounds % replicas.all.length];
    await replicas.kill(victim);
    await delay(500 + Math.random() * 1000);
    await replicas.start(victim);
  },
  postgres: async (world) => {
    counts.postgres += 1;
    slowest.postgres = Math.max(slowest.postgres, await world.postgres.kill());
    const answerMs = await untilAnswer(world);
    slowest.answer = Math.max(slowest.answer, answerMs);
    if (answerMs > recoveryMs) broken('no answer 5 s after PostgreSQL came back', [seconds(answerMs)]);
  },
  cuts: async ({ way }) => {
    counts.cutRounds += 1;
    way.rate = 0.01;
    await delay(3000);
    way.rate = 0;
  },
};

const isOver = () => {
  const late = options.minutes !== null && performance.now() - began > options.minutes * 60_000;
  return interrupted || late || counts.rounds >= options.rounds;
};

/** The rounds, with the stranded work before them: its leases run while they do. */
const torture = async (world) => {
  const { shop, gateway, replicas, way } = world;
  shop.start();
  const stranded = await strand(world);
  say('killed with a look, a delivery and a payout in hand');
  let done = false;
  const finished = stranded.times
    .then(([look, delivery, payout]) =>
      say(
        `what was in hand is done: look after ${seconds(look)}, delivery ${seconds(delivery)}, payout ${seconds(payout)}`,
      ),
    )
    .catch(() => undefined)
    .then(() => (done = true));
  for (; !isOver(); counts.rounds += 1) {
    if (!done && performance.now() - stranded.since > leasesEndMs) await finished;
    await delay(400 + Math.random() * 1600);
    const deed = pattern[counts.rounds % pattern.length];
    await deeds[deed](world);
    const { postman } = gateway;
    say(
      `round ${counts.rounds + 1} (${deed}): ${shop.orders.length} orders, ${postman.times} callbacks acknowledged after ${postman.repeats} repeats, ${shop.webhooks} webhooks, ${replicas.killed} processes killed, ${way.cuts} connections cut`,
    );
  }
  if (interrupted) throw new Error('interrupted');
  return stranded;
};

/** Waits until everything that was begun is done, for three minutes at most; what is not, the checker finds. */
const quiet = async ({ shop, gateway, url }) => {
  await shop.stop();
  const idle = `select (select count(*)::int from inbox where status in ('unmatched', 'quarantined'))
    + (select count(*)::int from payment_view where fulfillable and fulfillment <> 'fulfilled') as open`;
  let calm = 0;
  for (
    const deadline = performance.now() + quietWithinMs;
    calm < 5 && !interrupted && performance.now() < deadline;
    await delay(200)
  ) {
    const [{ open }] = await query(url, idle);
    calm = open === 0 && gateway.postman.underWay === 0 && shop.waiting().length === 0 ? calm + 1 : 0;
  }
};

const reportOf = (world, findings, times) => {
  const { replicas, gateway, shop, way } = world;
  const { postman } = gateway;
  const zeros = Object.entries(findings).map(([name, ids]) => `${name} ${whole(ids.length)}`);
  return `torture: rounds ${counts.rounds} (service killed ${replicas.killed}, PostgreSQL killed ${counts.postgres}, connections cut ${whole(way.cuts)}), orders ${whole(shop.orders.length)}, callbacks acknowledged ${whole(postman.times)}, answers 503 meanwhile ${whole(postman.unavailable + shop.unavailable)}, ${zeros.join(', ')}, slowest recovery of the service ${seconds(replicas.slowestStartMs)}, of PostgreSQL ${seconds(slowest.postgres)} and of answers after it ${seconds(slowest.answer)}, stuck work resumed after ${times ? seconds(Math.max(...times)) : 'never'} at most`;
};

const main = async () => {
  const world = await build();
  const { shop, gateway, replicas, logs } = world;
  say(`two services, PostgreSQL and a gateway are up; logs in ${logs}`);
  const stranded = await torture(world);
  say('all rounds done; waiting for quiet');
  const times = await stranded.times.catch((error) => broken('stuck work was not resumed', [error.message]));
  if (times && Math.max(...times) > stuckMs) broken('stuck work took longer than 60 s', times.map(seconds));
  await quiet(world);
  say('quiet; checking');
  const codes = await replicas.stop();
  if (codes.some((code) => code !== 0)) broken('a service did not stop cleanly', codes.map(String));
  const record = {
    url: world.url,
    acknowledged: gateway.postman.acknowledged,
    orders: shop.orders,
    told: shop.told,
    invoices: await gateway.invoices(),
    payouts: await gateway.payouts(),
  };
  const findings = await check(record);
  for (const [name, ids] of Object.entries(findings)) if (ids.length > 0) broken(name, ids);
  const complaints = options.selfTest && breaks.size === 0 ? await selfTest(record, say) : [];
  if (complaints.length > 0) broken('the checker missed a planted fault', complaints);
  await writeFile(join(logs, 'orders.json'), JSON.stringify({ orders: shop.orders, told: [...shop.told] }));
  for (const [what, ids] of breaks) console.log(`BROKEN: ${what}\n${ids.map((id) => `  ${id}`).join('\n')}`);
  console.log(reportOf(world, findings, times));
};

try {
  await main();
} catch (error) {
  if (!interrupted) console.error(error);
  broken('the torture itself', [String(error)]);
}
for (const close of closers.reverse())
  await Promise.resolve(close()).catch((error) => console.error('cleaning up failed:', error));
const good = breaks.size === 0 && !interrupted;
if (directory && good && !options.keep) await rm(directory, { recursive: true, force: true });
else if (directory) console.log(`the logs and the data are in ${directory}`);
process.exit(interrupted || (good ? 0 : 1));
