import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { sign } from '../../src/gateway/signature.js';
import { apiKey, merchantKey, payoutKey, startTestService, until, type TestService } from '../support/service.js';
import { startGatewayDouble, type GatewayDouble } from './gateway-double.js';
import {
  acknowledged,
  head,
  kept,
  openPayment,
  path,
  said,
  statusOf,
  stored,
  story,
  untouched,
  wire,
  type OpenPayment,
} from './support.js';

let gateway: GatewayDouble;
let shop: TestService;
let twin: TestService;
let payment: OpenPayment;

beforeAll(async () => {
  gateway = await startGatewayDouble();
  shop = await startTestService({ sandbox: false, gatewayPort: gateway.port });
  twin = await startTestService({
    sandbox: false,
    gatewayPort: gateway.port,
    database: shop.database,
    clock: shop.clock,
  });
  payment = await openPayment(shop);
});
afterAll(async () => {
  await twin.close();
  await shop.close();
  await gateway.close();
});

const counted = async (reason: string): Promise<number> => {
  const { body } = (await shop.api('GET', '/metrics')) as { body: string };
  return Number(
    new RegExp(`finality_callbacks_received_total\\{result="rejected",reason="${reason}"\\} (\\d+)`).exec(body)?.[1] ??
      0,
  );
};

/** Runs something that is to leave nothing stored. */
async function leavingNothing(work: () => Promise<void>): Promise<void> {
  const before = await stored(shop.database.pool);
  await work();
  expect(await stored(shop.database.pool)).toEqual(before);
  expect((await shop.api('GET', '/health/live')).status).toBe(200);
}

describe('Several copies at once', () => {
  it('W03: a hundred over two replicas are all acknowledged, kept once and take effect once', async () => {
    const flooded = await openPayment(shop);
    const body = said(flooded);
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => (n % 2 ? shop : twin).callback(body)));
    expect(new Set(answers.map((answer) => JSON.stringify(answer)))).toEqual(new Set([JSON.stringify(acknowledged)]));
    expect(await kept(shop.database.pool, body)).toEqual([{ status: 'applied', reason: null, receipts: 100 }]);
    expect(await story(shop.database.pool, flooded.id)).toEqual([
      ...untouched,
      'GatewayReported',
      'TransferDetected',
      'AmountAssessed',
      'PaymentPaid',
    ]);
  });

  it('W03: so are a hundred of one that nothing is known of', async () => {
    const body = said({ id: '7f2c1d1e-0000-4000-8000-000000000002', trackId: '555000222' });
    const answers = await Promise.all(Array.from({ length: 100 }, (_, n) => (n % 2 ? shop : twin).callback(body)));
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]));
    expect(await kept(shop.database.pool, body)).toEqual([
      { status: 'unmatched', reason: 'unknown_track_id', receipts: 100 },
    ]);
  });
});

describe('Size and form of a request', () => {
  const limit = 64 * 1024;
  const padded = (length: number): string => {
    const body = said(payment, { status: 'Waiting', txs: [], note: '@' });
    return body.replace('"@"', () => `"${'n'.repeat(length - body.length + 1)}"`);
  };

  it('W14: 64 KiB are read, one byte more is refused before it has come', async () => {
    const most = padded(limit);
    expect(most.length).toBe(limit);
    expect(await shop.callback(most)).toEqual(acknowledged);
    const more = padded(limit + 1);
    const hmac = sign(more, merchantKey);
    const before = await counted('too_large');
    await leavingNothing(async () => {
      expect(await shop.callback(more)).toMatchObject({
        status: 413,
        type: expect.stringMatching(/^application\/problem\+json/),
      });
      // Announced, and nothing of it sent.
      expect(await statusOf(shop.config.port, head({ HMAC: hmac, 'Content-Length': String(limit + 1) }))).toBe(413);
      // Not announced, and never ending.
      const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
      expect(
        await statusOf(
          shop.config.port,
          head({ HMAC: hmac, 'Transfer-Encoding': 'chunked' }) + chunk(more.slice(0, limit)) + chunk('}'),
        ),
      ).toBe(413);
    });
    expect(await counted('too_large')).toBe(before + 3);
  });

  it('W15: requests that two readers could cut differently are refused', async () => {
    const body = said(payment);
    const hmac = sign(body, merchantKey);
    const length = String(body.length);
    const start = `POST ${path} HTTP/1.1\r\nHost: shop.example\r\nHMAC: ${hmac}\r\n`;
    const both = `${start}Content-Length: ${length}\r\nTransfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const requests = {
      'a length and chunks': both,
      'chunks and a length': both.replace(
        `Content-Length: ${length}\r\nTransfer-Encoding: chunked`,
        `Transfer-Encoding: chunked\r\nContent-Length: ${length}`,
      ),
      'two lengths': `${start}Content-Length: ${length}\r\nContent-Length: 5\r\n\r\n${body}`,
      'a list of lengths': `${start}Content-Length: ${length}, ${length}\r\n\r\n${body}`,
      'a signed length': `${start}Content-Length: +${length}\r\n\r\n${body}`,
      'chunks by another name': `${start}Transfer-Encoding: xchunked\r\n\r\n${body}`,
      'bare line feeds': `${start}Content-Length: ${length}\r\n\r\n`.replaceAll('\r\n', '\n') + body,
      'a space before the colon': `${start}Content-Length : ${length}\r\n\r\n${body}`,
      'no host': `POST ${path} HTTP/1.1\r\nHMAC: ${hmac}\r\nContent-Length: ${length}\r\n\r\n${body}`,
      'no HTTP at all': `${body}\r\n\r\n`,
    };
    await leavingNothing(async () => {
      for (const [what, request] of Object.entries(requests))
        expect([what, await statusOf(shop.config.port, request)]).toEqual([what, 400]);
    });
  });

  it('W16: headers over 16 KiB are refused', async () => {
    const body = said(payment);
    const headers = { HMAC: sign(body, merchantKey), 'Content-Length': String(body.length) };
    await leavingNothing(async () => {
      expect(await statusOf(shop.config.port, head({ ...headers, 'X-Long': 'x'.repeat(17 * 1024) }) + body)).toBe(431);
      const many = Object.fromEntries(Array.from({ length: 600 }, (_, n) => [`X-${String(n)}`, 'x'.repeat(24)]));
      expect(await statusOf(shop.config.port, head({ ...headers, ...many }) + body)).toBe(431);
    });
  });

  it('W18: a compressed body is refused, and never inflated', async () => {
    const bomb = gzipSync(Buffer.alloc(50 * 1024 * 1024, ' '));
    const body = gzipSync(said(payment));
    const before = await counted('compressed');
    await leavingNothing(async () => {
      for (const encoding of ['gzip', 'deflate', 'br', 'x-gzip', 'gzip, gzip']) {
        expect(await shop.callback(body, { headers: { 'content-encoding': encoding } })).toMatchObject({ status: 415 });
      }
      const memory = process.memoryUsage().rss;
      expect(await shop.callback(bomb.subarray(0, limit), { headers: { 'content-encoding': 'gzip' } })).toMatchObject({
        status: 415,
      });
      expect(process.memoryUsage().rss - memory).toBeLessThan(40 * 1024 * 1024);
    });
    expect(await counted('compressed')).toBe(before + 6);
  });

  it('W51: another method is told which one it is; another address is none; no way around the signature', async () => {
    await leavingNothing(async () => {
      for (const method of ['GET', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'TRACE', 'OPTIONS']) {
        const { socket, text, answered } = wire(shop.config.port);
        socket.write(head({ 'Content-Length': '0' }, method));
        await answered;
        socket.destroy();
        expect([method, text()]).toEqual([method, expect.stringMatching(/^HTTP\/1\.1 405 /)]);
        expect(text()).toMatch(/^allow: POST\r$/im);
      }
      const body = said(payment);
      const headers = { HMAC: sign(body, merchantKey), 'Content-Length': String(body.length) };
      const elsewhere = [
        `${path}/`,
        path.toUpperCase(),
        path.replace('callbacks', 'Callbacks'),
        path.replace('/v1', '//v1'),
        path.replace('/default', '//default'),
        path.replace('default', 'other'),
        `${path}/more`,
        path.replace('/default', ''),
      ];
      for (const target of elsewhere)
        expect([target, await statusOf(shop.config.port, head(headers, 'POST', target) + body)]).toEqual([target, 404]);
      // Spellings of the same address that a filter in front might not know: the handler itself asks for the signature.
      for (const target of [
        `${path}?x=1`,
        path.replace('default', '%64efault'),
        path.replace('oxapay', 'oxa%70ay'),
        `${path}?`,
        `${path}#x`,
      ]) {
        expect([
          target,
          await statusOf(shop.config.port, head({ 'Content-Length': String(body.length) }, 'POST', target) + body),
        ]).toEqual([target, 401]);
      }
    });
    const other = await openPayment(shop);
    const body = said(other);
    const request =
      head(
        { HMAC: sign(body, merchantKey), 'Content-Length': String(body.length) },
        'POST',
        path.replace('oxapay', 'oxa%70ay'),
      ) + body;
    expect(await statusOf(shop.config.port, request)).toBe(200);
    expect(await kept(shop.database.pool, body)).toHaveLength(1);
  });
});

describe('Slow senders', () => {
  it('W17: headers or a body that drip in end with 408 within 10 s, and starve nobody meanwhile', async () => {
    const body = said(payment);
    const start = head({ HMAC: sign(body, merchantKey), 'Content-Length': String(body.length) });
    const before = await stored(shop.database.pool);
    const incomplete = await counted('incomplete');
    const began = performance.now();
    const slow = Array.from({ length: 200 }, (_, n) => {
      const kind = n % 2;
      const one = wire(shop.config.port);
      one.socket.write(kind ? start : start.slice(0, 60));
      const rest = kind ? body : start.slice(60);
      let at = 0;
      const drip = setInterval(() => {
        if (one.socket.writable) one.socket.write(rest[at++] ?? '');
      }, 1000);
      return one.closed.then(() => {
        clearInterval(drip);
        return { status: one.text().slice(0, 12), after: performance.now() - began };
      });
    });
    const times: number[] = [];
    for (let n = 0; n < 8; n++) {
      await delay(900);
      const asked = performance.now();
      expect(await shop.callback('{"unreadable":', { headers: { 'x-try': String(n) } })).toEqual(acknowledged);
      times.push(performance.now() - asked);
    }
    expect(Math.max(...times)).toBeLessThan(1000);
    const ends = await Promise.all(slow);
    expect(new Set(ends.map((end) => end.status))).toEqual(new Set(['HTTP/1.1 408']));
    expect(Math.min(...ends.map((end) => end.after))).toBeGreaterThan(8000);
    // The machine's own delay on top.
    expect(Math.max(...ends.map((end) => end.after))).toBeLessThan(10_700);
    expect((await stored(shop.database.pool)).messages).toBe(before.messages + 1);
    expect(await story(shop.database.pool, payment.id)).not.toContain('PaymentPaid');
    await until(async () => (await counted('incomplete')) === incomplete + 100);
  });
});

describe('After all of it', () => {
  it('the service still serves, has answered nothing with an error of its own and has logged no key', async () => {
    expect((await shop.api('GET', '/health/ready')).status).toBe(200);
    const lines = [...shop.logged, ...twin.logged].join('');
    expect(lines.includes('unexpected error')).toBe(false);
    for (const secret of [merchantKey, payoutKey, apiKey]) expect(lines.includes(secret)).toBe(false);
  });
});
