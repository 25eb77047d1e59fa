// The calling service: it orders, pays as its customers would, hears webhooks and remembers everything.
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import { exchange, jsonOf, listen } from './http.mjs';

export const apiKey = 'torture-api-key-that-is-long-enough-012345678';
const gapMs = 170;
const mostOpening = 24;

/** What happens to an order's payment, how often, and whether the goods are then due. */
const kinds = [
  { name: 'exact', share: 40, due: true },
  { name: 'duplicate_callbacks', share: 15, due: true },
  { name: 'out_of_order', share: 15, due: true },
  { name: 'topped_up', share: 8, due: true },
  { name: 'overpaid', share: 6, due: true, wish: () => ({ customerId: 'torture' }) },
  {
    name: 'refund',
    scenario: 'overpaid',
    share: 4,
    due: true,
    wish: () => ({
      policy: { overpayment: { tolerancePercent: '0', then: 'refund' } },
      refundTo: { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON' },
    }),
  },
  { name: 'underpaid', share: 4, due: false },
  { name: 'unpaid', scenario: null, share: 4, due: false },
  // A look at the gateway has to find these, a minute after they were opened.
  { name: 'no_callbacks', share: 4, due: true },
];

const drawn = (among) => {
  let at = Math.random() * among.reduce((sum, { share }) => sum + share, 0);
  return among.find(({ share }) => (at -= share) < 0) ?? among[0];
};

export class Shop {
  orders = [];
  /** Webhooks as they came, by payment. */
  told = new Map();
  webhooks = 0;
  repeats = 0;
  unavailable = 0;
  opening = 0;
  ordering = null;
  stopped = false;
  holds = [];

  constructor({ replicas, gateway, broken, silentOrders }) {
    Object.assign(this, { replicas, gateway, broken });
    this.kinds = silentOrders ? kinds : kinds.filter(({ name }) => name !== 'no_callbacks');
  }

  async open() {
    this.receiver = await listen((request, body, response) => this.hear(request, body, response));
    const url = `http://127.0.0.1:${this.receiver.port}/hooks`;
    const { secret } = jsonOf(await this.insist('POST', '/v1/webhook-endpoints', { url }));
    this.verifier = new Webhook(secret);
  }

  /** Repeats a request until it is answered. */
  async insist(method, path, body, more = {}) {
    const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...more };
    for (;;) {
      const sent = body === undefined ? {} : { body: JSON.stringify(body) };
      const answer = await exchange(this.replicas.pick(), path, { method, headers, timeoutMs: 15_000, ...sent });
      if (answer && answer.status < 300) return answer;
      // A 409 with Retry-After: the first request with this key is still under way, or died with its process.
      const later = answer?.status === 503 || (answer?.status === 409 && answer.headers['retry-after'] !== undefined);
      this.unavailable += answer?.status === 503 ? 1 : 0;
      if (answer && !later)
        this.broken('a request was refused', [`${method} ${path}: ${answer.status} ${answer.text}`]);
      this.repeats += 1;
      await delay(50 + Math.random() * 200);
    }
  }

  start() {
    this.ordering = this.order();
  }

  /** Orders no more; resolves when what was begun is ordered and paid. */
  async stop() {
    this.stopped = true;
    await this.ordering;
    while (this.opening > 0) await delay(50);
  }

  async order() {
    while (!this.stopped) {
      if (this.opening < mostOpening) void this.buy(drawn(this.kinds));
      await delay(gapMs);
    }
  }

  /** One order, from the wish to the payer's deed. */
  async buy(kind) {
    this.opening += 1;
    const order = { orderId: `torture-${this.orders.length + 1}`, kind: kind.name, due: kind.due, id: null };
    this.orders.push(order);
    await this.request(order, kind.wish?.() ?? {});
    const scenario = kind.scenario === undefined ? kind.name : kind.scenario;
    if (scenario !== null) await this.pay(order, scenario);
    this.opening -= 1;
    return order;
  }

  /** Asks for the payment until its invoice is open. */
  async request(order, wish) {
    const body = { orderId: order.orderId, amount: '10.00', currency: 'USD', ...wish };
    const key = Math.random() < 0.5 ? { 'idempotency-key': randomUUID() } : {};
    for (let first = true; ; first = false) {
      // Of the key, only the first answer can be had; a repeat for the order tells how it stands now.
      const payment = jsonOf(await this.insist('POST', '/v1/payments', body, first ? key : {}));
      if (order.id !== null && order.id !== payment.id)
        this.broken('one order has two payments', [`${order.orderId}: ${order.id}, ${payment.id}`]);
      order.id = payment.id;
      order.trackId = payment.trackId;
      if (order.trackId !== null) return;
      await delay(500);
    }
  }

  async pay(order, scenario) {
    const answer = await this.gateway.play(scenario, order.trackId);
    if (answer?.status !== 200) this.broken('the gateway could not be paid', [`${order.id}: ${answer?.text}`]);
    order.paid = true;
  }

  /** Resolves when a webhook of the payment has come that will never be answered. */
  hold(paymentId) {
    return new Promise((resolve) => this.holds.push({ paymentId, resolve }));
  }

  hear({ headers }, body, response) {
    this.webhooks += 1;
    try {
      this.verifier?.verify(body, headers);
    } catch (error) {
      this.broken('a webhook was not signed well', [`${headers['webhook-id']}: ${error.message}`]);
    }
    const { type, data } = JSON.parse(body.toString());
    const record = { id: headers['webhook-id'], type, sequence: data.sequence, answered: false };
    this.told.set(data.id, [...(this.told.get(data.id) ?? []), record]);
    const held = this.holds.find(({ paymentId }) => paymentId === data.id);
    if (held) {
      this.holds = this.holds.filter((hold) => hold !== held);
      return held.resolve();
    }
    // Now and then the answer is lost after the goods have gone out.
    if (Math.random() < 0.01) return response.destroy();
    record.answered = true;
    response.end();
  }

  /** Orders whose goods are due and of which nothing was heard. */
  waiting() {
    const isTold = ({ id }) =>
      this.told.get(id)?.some(({ type, answered }) => answered && type === 'fulfillment.requested');
    return this.orders.filter((order) => order.due && order.paid && !isTold(order));
  }
}
