// The gateway that outlives the service: the sandbox gateway itself, with its own signatures and its own memory. In front
// of its API stands a door at which a test can hold a request; behind its callbacks stands a postman, because the
// gateway repeats a callback after a minute at the earliest, and a torture has no minutes.
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SystemClock } from '../../dist/platform/clock.js';
import { startSandbox } from '../../dist/sandbox/sandbox.module.js';
import { exchange, jsonOf, listen } from './http.mjs';

export const merchantKey = 'TORTURE-MERCHANT-KEY-000001';
export const payoutKey = 'TORTURE-PAYOUT-KEY-00000001';
const callbackPath = '/v1/callbacks/oxapay/default';

export const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex');

/** Delivers callbacks until they are acknowledged, some of them again afterwards, and keeps a record of what was. */
class Postman {
  /** What was answered `ok`: bytes by their digest, and how often. */
  acknowledged = new Map();
  times = 0;
  repeats = 0;
  underWay = 0;
  unavailable = 0;

  constructor(replicas, broken) {
    this.replicas = replicas;
    this.broken = broken;
  }

  take(body, headers) {
    void this.deliver(body, headers.hmac, 1 + (Math.random() < 0.5) + (Math.random() < 0.25));
  }

  async deliver(body, hmac, copies) {
    this.underWay += 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (copy > 0) await delay(Math.random() * 2000);
      await this.untilAcknowledged(body, hmac);
    }
    this.underWay -= 1;
  }

  async untilAcknowledged(body, hmac) {
    const headers = { 'content-type': 'application/json', hmac };
    for (; ; this.repeats += 1) {
      const answer = await exchange(this.replicas.pick(), callbackPath, { method: 'POST', headers, body });
      if (answer?.status === 200 && answer.text === 'ok') break;
      if (answer?.status === 503) this.unavailable += 1;
      else if (answer)
        this.broken('a callback was answered otherwise than 200 or 503', [`${answer.status} ${answer.text}`]);
      await delay(50 + Math.random() * 200);
    }
    this.times += 1;
    const digest = digestOf(body);
    const known = this.acknowledged.get(digest);
    this.acknowledged.set(digest, { body, times: (known?.times ?? 0) + 1 });
  }
}

/** Requests to the gateway's API pass here; one that a test waits for is answered never, or only by the gateway's deed. */
class Door {
  holds = [];

  constructor(gatewayPort) {
    this.gatewayPort = gatewayPort;
  }

  /** Resolves when a request that fits has come. It has its effect at the gateway, and its answer is lost. */
  hold(fits) {
    return new Promise((resolve) => this.holds.push({ fits, resolve }));
  }

  async pass(request, body, response) {
    const { method, url, headers } = request;
    const held = this.holds.find(({ fits }) => fits(method, url, body.toString()));
    this.holds = this.holds.filter((hold) => hold !== held);
    const own = ['host', 'connection', 'content-length', 'transfer-encoding'];
    const kept = Object.fromEntries(Object.entries(headers).filter(([name]) => !own.includes(name)));
    const sent = method === 'GET' ? {} : { body };
    const answer = await exchange(this.gatewayPort, url, { method, headers: kept, ...sent });
    if (held) return held.resolve();
    if (!answer) return response.destroy();
    const type = answer.headers['content-type'];
    response.writeHead(answer.status, { 'content-type': type, 'content-length': Buffer.byteLength(answer.text) });
    response.end(answer.text);
  }
}

export const startGateway = async (replicas, broken) => {
  const sandbox = await startSandbox({
    port: 0,
    host: '127.0.0.1',
    clock: new SystemClock(),
    merchantKeys: [merchantKey],
    payoutKeys: [payoutKey],
  });
  const port = Number(new URL(sandbox.url).port);
  const [postman, door] = [new Postman(replicas, broken), new Door(port)];
  const inbox = await listen((request, body, response) => {
    if (request.url === callbackPath) postman.take(body, request.headers);
    response.end('ok');
  });
  const api = await listen((request, body, response) => door.pass(request, body, response));
  const json = { 'content-type': 'application/json' };
  const rowsOf = async (path, headers) => {
    const rows = [];
    for (let page = 1; ; page += 1) {
      const { data } = jsonOf(await exchange(port, `${path}?size=200&page=${page}`, { headers, timeoutMs: 20_000 }));
      rows.push(...data.list);
      if (page >= data.meta.last_page) return rows;
    }
  };
  return {
    postman,
    door,
    /** Where the service finds the API, and where it is told to have callbacks sent. */
    apiPort: api.port,
    publicUrl: `http://127.0.0.1:${inbox.port}`,
    play: (scenario, trackId) =>
      exchange(port, `/_sandbox/scenarios/${scenario}`, {
        method: 'POST',
        headers: json,
        body: JSON.stringify({ trackId }),
        timeoutMs: 20_000,
      }),
    /** Everything that the gateway remembers, as its API tells it. */
    invoices: () => rowsOf('/v1/payment', { merchant_api_key: merchantKey }),
    payouts: () => rowsOf('/v1/payout', { payout_api_key: payoutKey }),
    close: async () => {
      await Promise.all([api.close(), inbox.close()]);
      await sandbox.close();
    },
  };
};
