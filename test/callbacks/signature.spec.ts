import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { sign, verify } from '../../src/gateway/signature.js';
import { readConfig } from '../../src/platform/config.js';
import { apiKey, merchantKey, payoutKey, startTestService, type TestService } from '../support/service.js';
import { startGatewayDouble, type GatewayDouble } from './gateway-double.js';
import {
  acknowledged,
  kept,
  openPayment,
  path,
  said,
  statusOf,
  stored,
  story,
  untouched,
  type OpenPayment,
} from './support.js';

const oldKey = 'TESTKE-YMERCH-ANTOLD-000000';
const bothKeys = `${merchantKey},${oldKey}`;

let gateway: GatewayDouble;
let shop: TestService;
let payment: OpenPayment;

beforeAll(async () => {
  gateway = await startGatewayDouble();
  shop = await startTestService({
    sandbox: false,
    gatewayPort: gateway.port,
    env: { OXAPAY_MERCHANT_API_KEY: bothKeys },
  });
  payment = await openPayment(shop);
});
afterAll(async () => {
  await shop.close();
  await gateway.close();
});

/** The whole of a refusal: whatever is wrong with a signature, this is all that anybody learns of it. */
const refused = {
  status: 401,
  type: 'application/problem+json; charset=utf-8',
  text: JSON.stringify({
    type: 'urn:finality:problem:unauthorized',
    title: 'No valid API key was sent',
    status: 401,
    detail: 'The signature is not valid.',
  }),
};

const send = async (body: string | Buffer, headers: Record<string, string>): Promise<object> => {
  const answer = await fetch(shop.url + path, {
    method: 'POST',
    headers,
    body: typeof body === 'string' ? body : new Uint8Array(body),
  });
  return { status: answer.status, type: answer.headers.get('content-type') ?? '', text: await answer.text() };
};

/** Sends a body with these headers, and holds that it was refused and left nothing behind. */
async function expectRefused(body: string | Buffer, headers: Record<string, string>): Promise<void> {
  const before = await stored(shop.database.pool);
  expect([headers, await send(body, headers)]).toEqual([headers, refused]);
  expect(await kept(shop.database.pool, body)).toEqual([]);
  expect(await stored(shop.database.pool)).toEqual(before);
}

describe("A callback is taken for the gateway's only with its signature", () => {
  it('W04: without a signature it is refused', async () => {
    await expectRefused(said(payment), { 'content-type': 'application/json' });
  });

  it('W05: with an empty, cut, overlong or non-hexadecimal signature it is refused', async () => {
    const body = said(payment);
    const good = sign(body, merchantKey);
    const bad = [
      '',
      ' ',
      good.slice(1),
      `${good}0`,
      good.slice(2),
      `${good}00`,
      'zz'.repeat(64),
      `g${good.slice(1)}`,
      `0x${good}`,
      Buffer.from(good, 'hex').toString('base64'),
      '0',
      'undefined',
    ];
    for (const hmac of bad) await expectRefused(body, { hmac });
  });

  it('W06: rubbish after a valid signature is not cut off silently', async () => {
    const body = said(payment);
    const good = sign(body, merchantKey);
    for (const tail of ['zz', '00', ' 00', ';', '\tx', '%00', ',']) await expectRefused(body, { hmac: good + tail });
    const odd = `${good.slice(0, 126)}zz`;
    await expectRefused(body, { hmac: odd });
  });

  it('W07: two signatures are refused, even where one is right', async () => {
    const body = said(payment);
    const good = sign(body, merchantKey);
    const before = await stored(shop.database.pool);
    for (const pair of [
      [good, '0'.repeat(128)],
      ['0'.repeat(128), good],
      [good, good],
    ]) {
      const lines = pair.map((value) => `HMAC: ${value}\r\n`).join('');
      const request = `POST ${path} HTTP/1.1\r\nHost: shop.example\r\n${lines}Content-Length: ${String(body.length)}\r\n\r\n${body}`;
      expect(await statusOf(shop.config.port, request)).toBe(401);
      await expectRefused(body, { hmac: pair.join(', ') });
    }
    expect(await stored(shop.database.pool)).toEqual(before);
  });

  it('W08: capital hexadecimal digits are as good as small ones', async () => {
    const body = said(payment, { status: 'Waiting', txs: [] });
    expect(await shop.callback(body, { headers: { hmac: sign(body, merchantKey).toUpperCase() } })).toEqual(
      acknowledged,
    );
    expect(await kept(shop.database.pool, body)).toEqual([{ status: 'applied', reason: null, receipts: 1 }]);
    expect(await story(shop.database.pool, payment.id)).toEqual([...untouched, 'GatewayReported']);
  });

  it('W09: a signature holds for these bytes and no others', async () => {
    const body = said(payment);
    const hmac = sign(body, merchantKey);
    const changed = Buffer.from(body);
    changed[changed.length - 3] = (changed[changed.length - 3] ?? 0) ^ 1;
    await expectRefused(said(payment, { description: 'another' }), { hmac });
    await expectRefused(changed, { hmac });
    await expectRefused(`${body}\n`, { hmac });
    await expectRefused(JSON.stringify(JSON.parse(body), null, 1), { hmac });
    await expectRefused(body.slice(0, -1), { hmac });
    for (let at = 0; at < 128; at += 9) {
      const digit = hmac[at] === '0' ? '1' : '0';
      await expectRefused(body, { hmac: hmac.slice(0, at) + digit + hmac.slice(at + 1) });
    }
  });

  it('W11: neither key speaks for the other: a payout under the merchant key, a payment under the payout key, either under none', async () => {
    const payout = JSON.stringify({
      track_id: '227296189',
      status: 'Confirmed',
      type: 'payout',
      tx_hash: 'x',
      address: 'x',
      amount: 10,
      value: 4,
      currency: 'POL',
      network: 'Polygon',
      description: 'd',
      date: 1738492316,
    });
    const body = said(payment);
    await expectRefused(payout, { hmac: sign(payout, '') });
    await expectRefused(payout, { hmac: sign(payout, merchantKey) });
    await expectRefused(body, { hmac: sign(body, '') });
    await expectRefused(body, { hmac: sign(body, payoutKey) });
    await expectRefused(body, { hmac: sign(body, apiKey) });
    await expectRefused(body, { hmac: sign(body, 'undefined') });
    // Nor where the rest cannot be read, but the type can.
    const strange = said(payment, { status: 'Disputed' });
    await expectRefused(strange, { hmac: sign(strange, payoutKey) });
    const strangePayout = payout.replace('Confirmed', 'Disputed');
    await expectRefused(strangePayout, { hmac: sign(strangePayout, merchantKey) });

    expect(await shop.callback(payout, { key: payoutKey })).toEqual(acknowledged);
    expect(await kept(shop.database.pool, payout)).toEqual([{ status: 'unmatched', reason: 'payout', receipts: 1 }]);
    expect(await story(shop.database.pool, payment.id)).toEqual([...untouched, 'GatewayReported']);
  });

  it('W12: the key before a rotation verifies while it is configured, and no longer; only the new one is ever sent', async () => {
    const rotated = await startTestService({ sandbox: false, gatewayPort: gateway.port, database: shop.database });
    try {
      const body = said(payment, { status: 'Waiting', txs: [], note: 'rotation' });
      expect(await rotated.callback(body, { key: oldKey })).toMatchObject({ status: 401 });
      expect(await kept(shop.database.pool, body)).toEqual([]);
      const during = await openPayment(shop);
      const old = said(during, { status: 'Waiting', txs: [] });
      expect(await shop.callback(old, { key: oldKey })).toEqual(acknowledged);
      expect(await kept(shop.database.pool, old)).toEqual([{ status: 'applied', reason: null, receipts: 1 }]);
      expect([...gateway.keys]).toEqual([merchantKey]);
    } finally {
      await rotated.close();
    }
  });

  it('W21: an unsigned body is not even parsed: rubbish gets the same refusal', async () => {
    for (const body of [
      '{"status":',
      'status=Paid',
      '',
      '[[[[',
      '{"a":1,"a":2}',
      '\u0000',
      Buffer.from([0xff, 0xfe]),
    ]) {
      await expectRefused(body, { 'content-type': 'application/json' });
      await expectRefused(body, { 'content-type': 'application/json', hmac: 'f'.repeat(128) });
    }
  });

  it('no line of the log holds a key or a signature', () => {
    const lines = shop.logged.join('\n');
    for (const secret of [merchantKey, oldKey, payoutKey, apiKey, sign(said(payment), merchantKey).slice(0, 32)])
      expect(lines.includes(secret)).toBe(false);
  });
});

describe('A service without a usable key does not start', () => {
  const start = (key: string | undefined): Promise<{ code: number | null; said: string }> =>
    new Promise((resolve) => {
      const env: Record<string, string | undefined> = {
        PATH: process.env['PATH'],
        GATEWAY: 'oxapay',
        PUBLIC_URL: 'https://pay.example',
        API_KEY: apiKey,
        OPS_PASSWORD: 'ops-password-1',
        OXAPAY_PAYOUT_API_KEY: payoutKey,
        OXAPAY_MERCHANT_API_KEY: key,
        // Were it to start all the same, it would find no database.
        DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
      };
      if (key === undefined) delete env['OXAPAY_MERCHANT_API_KEY'];
      const child = spawn(process.execPath, [fileURLToPath(new URL('../../dist/main.js', import.meta.url))], {
        env: env as NodeJS.ProcessEnv,
      });
      let told = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (part: Buffer) => {
          told += part.toString();
        });
      child.once('close', (code) => {
        resolve({ code, said: told });
      });
    });

  it('W10: unset, empty, blank, `undefined`, too short, or one of a list: it ends with code 78 and one sentence', async () => {
    const ends = await Promise.all([start(undefined), start('   ')]);
    for (const end of ends)
      expect(end).toEqual({
        code: 78,
        said: 'Finality cannot start: OXAPAY_MERCHANT_API_KEY must be set with GATEWAY=oxapay.\n',
      });

    const env = {
      GATEWAY: 'oxapay',
      PUBLIC_URL: 'https://pay.example',
      API_KEY: apiKey,
      OPS_PASSWORD: 'ops-password-1',
      OXAPAY_PAYOUT_API_KEY: payoutKey,
    };
    for (const key of ['', ' ', 'undefined', 'null', 'short', `${merchantKey},`, `${merchantKey}, ,${oldKey}`, ',']) {
      expect(() => readConfig({ ...env, OXAPAY_MERCHANT_API_KEY: key })).toThrow(
        new RegExp('^OXAPAY_MERCHANT_API_KEY must be ((?!TESTKE).)*$'),
      );
    }
    expect(readConfig({ ...env, OXAPAY_MERCHANT_API_KEY: bothKeys }).merchantKeys).toEqual([merchantKey, oldKey]);
  });
});

describe('Refusals are limited by address', () => {
  let flooded: TestService;
  let own: OpenPayment;
  beforeAll(async () => {
    flooded = await startTestService({ sandbox: false, gatewayPort: gateway.port });
    own = await openPayment(flooded);
  });
  afterAll(() => flooded.close());

  const forge = async (headers: Record<string, string> = {}): Promise<Response> => {
    const answer = await fetch(flooded.url + path, {
      method: 'POST',
      headers: { hmac: randomBytes(64).toString('hex'), ...headers },
      body: said(own),
    });
    await answer.arrayBuffer();
    return answer;
  };

  it('W13: a flood of forged callbacks is refused and then throttled; good ones go through meanwhile', async () => {
    expect((await forge()).status).toBe(401);
    const counts = new Map<number, number>();
    let left = 1000;
    const flood = async (): Promise<void> => {
      while (left-- > 0) {
        const { status } = await forge();
        counts.set(status, (counts.get(status) ?? 0) + 1);
      }
    };
    const times: number[] = [];
    const good = async (): Promise<void> => {
      for (let n = 0; n < 40; n++) {
        const began = performance.now();
        expect(await flooded.callback(said(own, { status: 'Waiting', txs: [], value: `${String(n)}.01` }))).toEqual(
          acknowledged,
        );
        times.push(performance.now() - began);
      }
    };
    await Promise.all([...Array.from({ length: 20 }, flood), good()]);
    expect([...counts.keys()].sort()).toEqual([401, 429]);
    // 400 a minute; the flood may lie across the turn of one.
    expect(counts.get(401)).toBeLessThanOrEqual(800);
    expect(times.sort((a, b) => a - b)[Math.floor(times.length * 0.95)]).toBeLessThan(1000);
    const throttled = await forge();
    if (throttled.status === 429) expect(Number(throttled.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it("W52: a made-up forwarding header neither frees nor blocks anybody: the connection's own address counts", async () => {
    let status = 401;
    for (let n = 0; n < 900 && status === 401; n++) {
      const made = `203.0.113.${String(n % 250)}`;
      status = (
        await forge({
          'x-forwarded-for': made,
          'x-real-ip': made,
          forwarded: `for=${made}`,
          'x-forwarded-proto': 'https',
        })
      ).status;
    }
    expect(status).toBe(429);
    const body = said(own, { status: 'Waiting', txs: [], note: 'forwarded', value: 77.7 });
    const answer = await flooded.callback(body, {
      headers: { 'x-forwarded-for': '127.0.0.1', 'x-real-ip': '203.0.113.9', forwarded: 'for=unknown' },
    });
    expect(answer).toEqual(acknowledged);
  });
});

describe('The time that a refusal takes', () => {
  /** Welch's t between two samples, each without its slowest tenth (the machine's other work). */
  function welch(a: number[], b: number[]): number {
    const [x, y] = [a, b].map((sample) => {
      const fast = sample.sort((one, other) => one - other).slice(0, Math.floor(sample.length * 0.9));
      const mean = fast.reduce((sum, value) => sum + value, 0) / fast.length;
      const variance = fast.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (fast.length - 1);
      return { mean, part: variance / fast.length };
    });
    if (!x || !y) throw new Error('two samples are compared');
    return Math.abs(x.mean - y.mean) / Math.sqrt(x.part + y.part);
  }

  function round(): number {
    const body = Buffer.from(said(payment));
    const good = sign(body, merchantKey);
    const flip = (at: number): string => good.slice(0, at) + (good[at] === '0' ? '1' : '0') + good.slice(at + 1);
    const wrong = [flip(0), flip(127)];
    const times: [number[], number[]] = [[], []];
    for (let n = 0; n < 40_000; n++) {
      const which = Math.random() < 0.5 ? 0 : 1;
      const began = process.hrtime.bigint();
      verify(body, wrong[which], [merchantKey]);
      if (n > 4000) times[which].push(Number(process.hrtime.bigint() - began));
    }
    return welch(times[0], times[1]);
  }

  it('W57: says nothing about how much of a signature is right', () => {
    // A real leak shows in every round; noise of a shared machine does not.
    const rounds = [1, 2, 3, 4].map(round);
    expect(Math.min(...rounds)).toBeLessThan(4.5);
  });
});
