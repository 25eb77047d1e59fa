// A shop, a gateway that outlives everything, and any number of service processes; and the proof afterwards that nothing
// acknowledged was lost and nothing was done twice. The parts are those of test/torture.
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { sign } from '../../dist/gateway/signature.js';
import { check } from '../../test/torture/checker.mjs';
import { digestOf, merchantKey, payoutKey, startGateway } from '../../test/torture/gateway.mjs';
import { exchange, jsonOf } from '../../test/torture/http.mjs';
import { query } from '../../test/support/pair.mjs';
import { Replicas } from '../../test/torture/replicas.mjs';
import { apiKey, Shop } from '../../test/torture/shop.mjs';

const callbackPath = '/v1/callbacks/oxapay/default';

export const temporaryDirectory = async (closers) => {
  const directory = await mkdtemp(join(tmpdir(), 'finality-scale-'));
  await chmod(directory, 0o755);
  closers.push(() => rm(directory, { recursive: true, force: true }));
  return directory;
};

/** Runs `work` for each item, `width` at a time. */
export const eachOf = async (items, width, work) => {
  let next = 0;
  const worker = async () => {
    while (next < items.length) await work(items[next++]);
  };
  await Promise.all(Array.from({ length: width }, worker));
};

/** The callback that OxaPay sends for a paid invoice (docs.oxapay.com/webhook). */
const paidCallback = ({ gateway, transfers: [transfer] }) => {
  const [tx] = gateway.txs;
  return JSON.stringify({
    track_id: gateway.track_id, status: 'Paid', type: 'invoice', module_name: 'OxaPay', amount: gateway.amount,
    value: gateway.amount, sent_value: gateway.amount, currency: gateway.currency, order_id: gateway.order_id, email: '', note: '',
    fee_paid_by_payer: 0, under_paid_coverage: 0, description: '', date: gateway.date,
    txs: [{
      status: 'confirmed', tx_hash: transfer.hash, sent_amount: tx.amount, received_amount: tx.amount, value: tx.amount,
      sent_value: tx.amount, currency: tx.currency, network: tx.network, sender_address: 'TH4uxpapg6o3kcCEMtb2iQGNiRq29BtgNH',
      address: tx.address, rate: 1, confirmations: 40, auto_convert_amount: 0, auto_convert_currency: 'USDT', date: tx.date,
    }],
  }); // prettier-ignore
};

/** What callers saw that was not the answer they wanted; every one of them was repeated. */
class Troubles {
  counts = new Map();

  add(what) {
    this.counts.set(what, (this.counts.get(what) ?? 0) + 1);
  }

  get total() {
    return [...this.counts.values()].reduce((sum, count) => sum + count, 0);
  }

  toString() {
    const each = [...this.counts].map(([what, count]) => `${count} ${what}`);
    return each.length === 0 ? 'none' : each.join(', ');
  }
}

/** `front.pick()` is the port that callers use; `environment` is that of every service process. */
export const startWorld = async ({ directory, closers, front, environment }) => {
  const logs = join(directory, 'logs');
  await mkdir(logs, { recursive: true });
  const troubles = new Troubles();
  const broken = [];
  const complain = (what, ids) => {
    // A proxy answers 502 and 504 for a server that went away.
    if (/answered otherwise|was refused/.test(what) && /\b50[024]\b/.test(ids[0]))
      return troubles.add(`answered ${/\b50\d\b/.exec(ids[0])[0]}`);
    broken.push(`${what}: ${ids.join(', ')}`);
  };
  const all = {
    GATEWAY: 'sandbox',
    DATA_DIR: directory,
    API_KEY: apiKey,
    OXAPAY_MERCHANT_API_KEY: merchantKey,
    OXAPAY_PAYOUT_API_KEY: payoutKey,
    GATEWAY_REQUESTS_PER_SECOND: '1000',
    LOG_LEVEL: 'warn',
    NODE_ENV: 'production',
    ...environment,
  };
  const replicas = new Replicas({ environment: all, logs, broken: complain });
  const gateway = await startGateway(front, complain);
  closers.push(() => gateway.close());
  Object.assign(all, { SANDBOX_PORT: String(gateway.apiPort), PUBLIC_URL: gateway.publicUrl });
  closers.push(() => replicas.stop());
  const shop = new Shop({ replicas: front, gateway, broken: complain, silentOrders: false });
  closers.push(() => shop.receiver?.close());
  return { front, replicas, gateway, shop, troubles, broken, logs, environment: all };
};

/** Orders that are paid at the gateway, each with the bytes of the callback that nobody has sent yet. */
export const paidOrders = async ({ shop, gateway }, count) => {
  const orders = [];
  await eachOf(Array.from({ length: count }), 32, async () => {
    const order = { orderId: `scale-${shop.orders.length + 1}`, kind: 'load', due: true, id: null, paid: false };
    shop.orders.push(order);
    await shop.request(order, {});
    const answer = await exchange(gateway.apiPort, `/_sandbox/payments/${order.trackId}/transfers`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"percent":100,"confirmations":40,"callback":false}',
      timeoutMs: 20_000,
    });
    if (answer?.status !== 200) throw new Error(`a payment could not be paid: ${answer?.text}`);
    const body = Buffer.from(paidCallback(jsonOf(answer)));
    orders.push({ order, body, hmac: sign(body, merchantKey) });
  });
  return orders;
};

/** Sends one callback until it is acknowledged, and writes down each answer: `{ at, ms, ok }`. */
const deliver = async ({ front, gateway, troubles }, { order, body, hmac }, answers, pauseMs) => {
  const headers = { 'content-type': 'application/json', hmac };
  for (;;) {
    const began = performance.now();
    const answer = await exchange(front.pick(), callbackPath, { method: 'POST', headers, body, timeoutMs: 5000 });
    const at = performance.now();
    const ok = answer?.status === 200 && answer.text === 'ok';
    answers.push({ at, ms: at - began, ok });
    if (ok) break;
    const byProxy = answer?.headers['content-type'] === 'text/html' ? ' by the proxy' : '';
    troubles.add(answer ? `answered ${answer.status}${byProxy}` : 'without an answer');
    await delay(pauseMs + Math.random() * pauseMs);
  }
  order.paid = true;
  const known = gateway.postman.acknowledged.get(digestOf(body));
  gateway.postman.acknowledged.set(digestOf(body), { body, times: (known?.times ?? 0) + 1 });
};

/** Sends all, so many at a time. */
export const sendAll = async (world, orders, { connections, pauseMs = 50 }) => {
  const answers = [];
  const began = performance.now();
  await eachOf(orders, connections, (order) => deliver(world, order, answers, pauseMs));
  return { answers, ms: performance.now() - began };
};

/** Sends so many a second, whatever becomes of those before. */
export const sendPaced = async (world, orders, { perSecond, pauseMs = 50 }) => {
  const answers = [];
  const sent = [];
  const began = performance.now();
  for (const [at, order] of orders.entries()) {
    const early = began + (at * 1000) / perSecond - performance.now();
    if (early > 1) await delay(early);
    sent.push(deliver(world, order, answers, pauseMs));
  }
  await Promise.all(sent);
  return { answers, ms: performance.now() - began };
};

/** Customers who order and pay all the time, `width` of them, until `stop()`; the gateway sends their callbacks. */
export const startCustomers = ({ shop }, width) => {
  let stopped = false;
  const kinds = ['exact', 'duplicate_callbacks', 'out_of_order'].map((name) => ({ name, due: true }));
  let turn = 0;
  const customer = async () => {
    while (!stopped) await shop.buy(kinds[(turn += 1) % kinds.length]);
  };
  const all = Promise.all(Array.from({ length: width }, customer));
  return {
    stop: async () => {
      stopped = true;
      await all;
    },
  };
};

/** Every follower has applied the whole log. */
export const caughtUp = async (url, withinMs = 60_000) => {
  const behind = 'select 1 from subscription where position < (select max(position) from event)';
  for (const deadline = performance.now() + withinMs; (await query(url, behind)).length > 0; await delay(50))
    if (performance.now() > deadline) throw new Error('the followers of the log did not catch up');
};

/** Waits until everything that was begun is done; what is not, the proof finds. */
const quiet = async ({ shop, gateway }, url) => {
  const open = `select (select count(*)::int from inbox where status in ('unmatched', 'quarantined'))
    + (select count(*)::int from payment_view where fulfillable and fulfillment <> 'fulfilled') as open`;
  let [calm, least, deadline] = [0, Infinity, 0];
  do {
    const [row] = await query(url, open);
    const left = row.open + gateway.postman.underWay + shop.waiting().length;
    // Webhooks of thousands of orders take their time; what stands still for two minutes does not work.
    if (left < least) [least, deadline] = [left, performance.now() + 120_000];
    calm = left === 0 ? calm + 1 : 0;
    await delay(200);
  } while (calm < 5 && performance.now() < deadline);
};

const paidTwice = `select stream_id from event where type = 'PaymentPaid' group by 1 having count(*) > 1`;

/** What was acknowledged, held against the database at `url`, the shop's record and the gateway's memory. */
export const prove = async (world, url) => {
  const { gateway, shop, replicas, broken, troubles } = world;
  await quiet(world, url);
  const codes = await replicas.stop();
  if (codes.some((code) => code !== null && code !== 0)) broken.push(`a service ended with ${codes.join(', ')}`);
  const acknowledged = gateway.postman.acknowledged;
  const [invoices, payouts] = [await gateway.invoices(), await gateway.payouts()];
  const findings = await check({ url, acknowledged, orders: shop.orders, told: shop.told, invoices, payouts });
  findings['paid twice'] = (await query(url, paidTwice)).map((row) => row.stream_id);
  for (const [name, ids] of Object.entries(findings))
    if (ids.length > 0) broken.push(`${name}: ${ids.slice(0, 5).join(', ')}`);
  const times = [...acknowledged.values()].reduce((sum, entry) => sum + entry.times, 0);
  for (let at = 0; at < gateway.postman.unavailable + shop.unavailable; at += 1) troubles.add('answered 503');
  const silent = gateway.postman.repeats + shop.repeats - gateway.postman.unavailable - shop.unavailable;
  const sum = (...names) => names.reduce((total, name) => total + findings[name].length, 0);
  return {
    callbacks: times,
    creates: shop.orders.length,
    lost: sum('lost', 'creates lost'),
    twice: sum('fulfilled twice', 'invoiced twice', 'refunded twice', 'paid twice'),
    modelsThatDiffer: findings['read models that differ from a rebuild'].length,
    otherRepeats: Math.max(0, silent),
    troubles: String(troubles),
    broken,
  };
};

/** Processor seconds of a process, and of those it has started. */
export const cpuSeconds = async (pid, withChildren = false) => {
  const own = async (each) => {
    const stat = await readFile(`/proc/${each}/stat`, 'utf8').catch(() => '');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), ticks: Number(fields[11] ?? 0) + Number(fields[12] ?? 0) };
  };
  let { ticks } = await own(pid);
  if (withChildren) {
    for (const name of await readdir('/proc')) {
      const found = /^\d+$/.test(name) ? await own(name) : null;
      if (found?.parent === pid) ticks += found.ticks;
    }
  }
  return ticks / 100;
};
