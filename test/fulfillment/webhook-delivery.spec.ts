import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { outcomeOfError } from '../../src/fulfillment/webhook-answer.js';
import { eventually, Receiver, World } from './support.js';

let world: World;
let receiver: Receiver;
beforeEach(async () => {
  world = await World.open();
  receiver = await new Receiver().open();
});
afterEach(async () => {
  await receiver.close();
  await world.close();
});

const begin = (timeoutMs?: number): void => {
  world.follow(world.fulfillment, world.webhooks);
  world.startDelivery(timeoutMs);
};

const settled = (paymentId: string, status: string) =>
  eventually(`the fulfilment is ${status}`, async () => (await world.status(paymentId)) === status);
const attempted = (paymentId: string, count: number) =>
  eventually(`${String(count)} attempts`, async () => {
    const rows = await world.attempts(paymentId);
    return rows.length >= count ? rows : null;
  });

describe('A payment that is paid and confirmed', () => {
  it('O01: reaches its application once, signed, and is fulfilled by the answer', async () => {
    const { secret } = await world.endpoint(receiver.url);
    begin();
    const paymentId = await world.paidPayment();
    await settled(paymentId, 'fulfilled');
    await eventually('the queue is empty', async () => (await world.waiting()) === 0);

    expect(receiver.requests).toHaveLength(1);
    const [request] = receiver.requests;
    const told = new Webhook(secret).verify(request?.body ?? '', request?.headers ?? {});
    expect(told).toMatchObject({
      type: 'fulfillment.requested',
      data: { id: paymentId, status: 'paid', fulfillable: true, amount: '49.90', sequence: 4 },
    });
    expect(request?.headers).toMatchObject({ 'content-type': 'application/json', 'user-agent': 'Finality/0.1.0' });
    expect(await world.story(paymentId)).toEqual(['FulfillmentRequested', 'FulfillmentReported']);
    expect(await world.attempts(paymentId)).toMatchObject([{ attempt: 1, outcome: 'success', status: 200 }]);
  });

  it('is not told to anybody before the gateway itself has confirmed it', async () => {
    await world.endpoint(receiver.url);
    begin();
    const unconfirmed = await world.paidPayment({ corroborated: false });
    const confirmed = await world.paidPayment();
    await settled(confirmed, 'fulfilled');
    expect(await world.story(unconfirmed)).toEqual([]);
    expect(receiver.requests).toHaveLength(1);
  });

  it('goes only to the endpoints that want it', async () => {
    await world.endpoint(`${receiver.url}/all`, null);
    await world.endpoint(`${receiver.url}/some`, ['fulfillment.requested', 'payment.paid']);
    await world.endpoint(`${receiver.url}/other`, ['payment.expired']);
    begin();
    const paymentId = await world.paidPayment();
    await settled(paymentId, 'fulfilled');
    await eventually('the queue is empty', async () => (await world.waiting()) === 0);
    const told = ['payment.created', 'payment.pending', 'payment.paid', 'fulfillment.requested'];
    expect(receiver.typesAt('/hooks/all')).toEqual(told);
    expect(receiver.typesAt('/hooks/some')).toEqual(told.slice(2));
    expect(receiver.typesAt('/hooks/other')).toEqual([]);
    expect(receiver.messageIds).toHaveLength(4);
  });
});

describe('The answer of an application', () => {
  it('202 means later', async () => {
    receiver.answer = (response) => response.writeHead(202).end();
    await world.endpoint(receiver.url);
    begin();
    const paymentId = await world.paidPayment();
    await settled(paymentId, 'accepted');
    expect((await attempted(paymentId, 1))[0]).toMatchObject({ outcome: 'success', status: 202 });
  });

  it('may reject, with its reasons', async () => {
    receiver.answer = (response) =>
      response.end(JSON.stringify({ outcome: 'rejected', note: 'sold out', reference: 7 }));
    await world.endpoint(receiver.url);
    begin();
    const paymentId = await world.paidPayment();
    await settled(paymentId, 'rejected');
    expect((await world.streams.load(paymentId)).fulfillment).toMatchObject({
      report: { via: 'webhook', note: 'sold out', reference: null },
    });
  });

  it('O06: an error is tried again with the same id', async () => {
    receiver.answer = (response) => response.writeHead(receiver.requests.length === 1 ? 500 : 200).end('broken\0');
    await world.endpoint(receiver.url);
    begin();
    const paymentId = await world.paidPayment();
    const [first] = await attempted(paymentId, 1);
    expect(first).toMatchObject({ outcome: 'http_5xx', status: 500, answer: 'broken' });
    world.clock.advance(10);
    await settled(paymentId, 'fulfilled');
    await attempted(paymentId, 2);
    expect(receiver.requests).toHaveLength(2);
    expect(receiver.messageIds).toHaveLength(1);
    expect(new Set(receiver.requests.map(({ body }) => body)).size).toBe(1);
  });

  it.each([400, 404, 422])(
    'O03: %i is tried again by the schedule, and shown to the merchant at once',
    async (status) => {
      receiver.answer = (response) => response.writeHead(status).end('not understood');
      await world.endpoint(receiver.url);
      begin();
      const paymentId = await world.paidPayment();
      expect(await attempted(paymentId, 1)).toMatchObject([{ outcome: 'http_4xx', status, answer: 'not understood' }]);
      expect(await eventually('the next attempt waits', () => world.nextDue())).not.toBeNull();
      expect(await world.status(paymentId)).toBe('requested');
    },
  );

  it.each([
    ['429 with seconds', 429, '7200', 7200],
    ['503 with seconds', 503, '7200', 7200],
    ['a date', 503, () => new Date(Date.now() + 3_600_000).toUTCString(), 3600],
    ['a negative number', 503, '-5', 5],
    ['ten years', 503, '315360000', 5],
    ['rubbish', 503, 'tomorrow', 5],
    ['a 500, which may not ask', 500, '7200', 5],
  ])('O05: Retry-After is honoured between a second and a day: %s', async (_, status, header, seconds) => {
    const asked = typeof header === 'string' ? header : header();
    receiver.answer = (response) => response.writeHead(status, { 'retry-after': asked }).end();
    await world.endpoint(receiver.url);
    begin();
    const paymentId = await world.paidPayment();
    const [attempt] = await attempted(paymentId, 1);
    const due = await eventually('the next attempt waits', () => world.nextDue());
    expect(attempt).toMatchObject({ status });
    expect(Math.abs((Date.parse(due) - Date.now()) / 1000 - seconds)).toBeLessThan(4);
  });

  it.each([500, 502, 504])('O06: %i is tried again, and its endpoint gets one attempt at a time', async (status) => {
    let [together, most] = [0, 0];
    receiver.answer = (response) => {
      most = Math.max(most, ++together);
      setTimeout(() => {
        together--;
        response.writeHead(status).end();
      }, 20);
    };
    const { id } = await world.endpoint(receiver.url);
    begin();
    const first = await world.paidPayment();
    await attempted(first, 1);
    await Promise.all(Array.from({ length: 8 }, () => world.paidPayment()));
    await eventually('it fails for the third time', async () => (await world.health(id)).failures === 3);
    await world.quiet();
    expect(most).toBe(1);
    expect(receiver.requests).toHaveLength(3);
  });

  it('O04: 410 ends it, and the endpoint gets nothing any more, which the merchant is told', async () => {
    receiver.answer = (response) => response.writeHead(410).end();
    const { id } = await world.endpoint(receiver.url);
    begin();
    const paymentId = await world.paidPayment();
    await settled(paymentId, 'unanswered');
    await eventually(
      'the endpoint is disabled',
      async () => (await world.endpoints.get(world.applicationId, id))?.disabledAt,
    );
    const [told] = (await world.store.read(id)).events;
    expect(told).toMatchObject({
      type: 'WebhookEndpointDisabled',
      tenant: world.applicationId,
      data: { endpointId: id, reason: 'gone' },
    });
    expect(await world.health(id)).toMatchObject({ disabled_reason: 'gone' });
    const second = await world.paidPayment();
    await settled(second, 'unanswered');
    await eventually('the queue is empty', async () => (await world.waiting()) === 0);
    expect(receiver.requests).toHaveLength(1);
  });

  it('410s that come together are told of once, also beside another failure', async () => {
    let gone = 0;
    receiver.answer = (response) => {
      const first = gone++ === 0;
      setTimeout(() => response.writeHead(first ? 500 : 410).end(), first ? 50 : 200);
    };
    const { id } = await world.endpoint(receiver.url);
    begin();
    await Promise.all(Array.from({ length: 4 }, () => world.paidPayment()));
    await eventually('it is disabled', async () => (await world.health(id)).disabled_at);
    await eventually('the queue is empty', async () => (await world.waiting()) === 0);
    expect((await world.store.read(id)).events.map(({ type }) => type)).toEqual(['WebhookEndpointDisabled']);
  });

  it('a 410 of the URL that it had does not disable an endpoint that has moved', async () => {
    receiver.answer = (response, { url }) =>
      void setTimeout(() => response.writeHead(url === '/hooks' ? 410 : 200).end(), 200);
    const { id } = await world.endpoint(receiver.url);
    begin();
    const paymentId = await world.paidPayment();
    await eventually('it is under way', () => receiver.requests.length === 1);
    await world.endpoints.update(world.applicationId, id, { url: `${receiver.url}/new` });
    await settled(paymentId, 'unanswered');
    expect(await world.health(id)).toMatchObject({ disabled_at: null, failures: 0 });
    expect((await world.store.read(id)).events).toEqual([]);
  });

  it.each([301, 302, 307, 308])('O02: %i is a failure, and its target is never visited', async (status) => {
    const target = await new Receiver().open();
    receiver.answer = (response) => response.writeHead(status, { location: target.url }).end();
    await world.endpoint(receiver.url);
    begin();
    const paymentId = await world.paidPayment();
    expect(await attempted(paymentId, 1)).toMatchObject([{ outcome: 'http_3xx', status }]);
    expect(target.requests).toEqual([]);
    await target.close();
  });

  it('O07: that never comes is cut off', async () => {
    receiver.answer = () => undefined;
    await world.endpoint(receiver.url);
    begin(200);
    const paymentId = await world.paidPayment();
    expect(await attempted(paymentId, 1)).toMatchObject([{ outcome: 'timeout', status: null }]);
  });

  it('O07: that drips for ever is cut off', async () => {
    receiver.answer = (response) => {
      const drip = setInterval(() => response.write('.'), 20);
      response.on('close', () => clearInterval(drip));
    };
    await world.endpoint(receiver.url);
    begin(200);
    const paymentId = await world.paidPayment();
    expect(await attempted(paymentId, 1)).toMatchObject([{ outcome: 'timeout' }]);
  });

  it('O07: that is a gigabyte is not read, and 1 KiB of it is kept', async () => {
    let sent = 0;
    receiver.answer = (response) => {
      const more = (): void => {
        while (sent < 2 ** 30 && !response.destroyed) {
          sent += 65_536;
          if (!response.write(Buffer.alloc(65_536, 'x'))) return;
        }
      };
      response.on('drain', more);
      more();
    };
    await world.endpoint(receiver.url);
    begin();
    const paymentId = await world.paidPayment();
    const [attempt] = await attempted(paymentId, 1);
    expect(attempt).toMatchObject({ outcome: 'body_too_large', status: 200, answer: 'x'.repeat(1024) });
    expect(sent).toBeLessThan(2 ** 27);
  });

  it('O08: that is lost leads to the same message again', async () => {
    receiver.answer = (response) => (receiver.requests.length === 1 ? response.destroy() : response.end());
    await world.endpoint(receiver.url);
    begin();
    const paymentId = await world.paidPayment();
    expect(await attempted(paymentId, 1)).toMatchObject([{ outcome: 'connect', status: null }]);
    world.clock.advance(10);
    await settled(paymentId, 'fulfilled');
    expect(receiver.messageIds).toHaveLength(1);
  });
});

describe('An endpoint', () => {
  const refusing = async (): Promise<string> => {
    const { url, close } = await closable();
    await close();
    return url;
  };
  const closable = async () => {
    const opened = await new Receiver().open();
    return { url: opened.url, close: () => opened.close() };
  };
  const resetting = (): Promise<string> => {
    receiver.answer = (response) => response.socket?.resetAndDestroy();
    return Promise.resolve(receiver.url);
  };
  const withoutTls = (): Promise<string> => Promise.resolve(receiver.url.replace('http:', 'https:'));
  const withoutName = (): Promise<string> => Promise.resolve('http://shop.invalid/hooks');

  it.each([
    ['refuses', refusing, ['connect']],
    ['hangs up', resetting, ['connect']],
    ['does not speak TLS', withoutTls, ['tls']],
    // Where there is no name server at all, asking it takes its time.
    ['has no name', withoutName, ['dns', 'timeout']],
  ])('O09: that %s is tried again', async (_, url, outcomes) => {
    await world.endpoint(await url());
    begin();
    const paymentId = await world.paidPayment();
    const [attempt] = await attempted(paymentId, 1);
    expect(attempt?.status).toBeNull();
    expect(outcomes).toContain(attempt?.outcome);
    expect(await eventually('the next attempt waits', () => world.nextDue())).not.toBeNull();
  });

  it.each([
    'CERT_HAS_EXPIRED',
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'SELF_SIGNED_CERT_IN_CHAIN',
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  ])('O09: whose certificate is no good (%s) fails by it', (code) => {
    expect(outcomeOfError(code)).toBe('tls');
  });

  it('O17: is reached directly, whatever proxy the environment names', async () => {
    const proxy = await new Receiver().open();
    const names = ['http_proxy', 'HTTP_PROXY', 'https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'];
    const before = names.map((name) => [name, process.env[name]] as const);
    for (const name of names) process.env[name] = `http://127.0.0.1:${String(proxy.port)}`;
    try {
      await world.endpoint(receiver.url);
      begin();
      await settled(await world.paidPayment(), 'fulfilled');
    } finally {
      for (const [name, value] of before) {
        if (value === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = value;
      }
      await proxy.close();
    }
    expect(proxy.requests).toEqual([]);
    expect(receiver.requests).toHaveLength(1);
  });

  it('that was removed leaves the fulfilment unanswered', async () => {
    const { id } = await world.endpoint(receiver.url);
    world.follow(world.fulfillment, world.webhooks);
    const paymentId = await world.paidPayment();
    await eventually('the job waits', async () => (await world.waiting()) === 1);
    await world.endpoints.remove(world.applicationId, id);
    world.startDelivery();
    await settled(paymentId, 'unanswered');
    expect(receiver.requests).toEqual([]);
  });

  it('whose secret was rotated gets both signatures', async () => {
    const { id, secret } = await world.endpoint(receiver.url);
    const rotated = await world.endpoints.rotateSecret(world.applicationId, id);
    begin();
    await settled(await world.paidPayment(), 'fulfilled');
    const [request] = receiver.requests;
    for (const key of [secret, rotated?.secret ?? '']) {
      expect(() => new Webhook(key).verify(request?.body ?? '', request?.headers ?? {})).not.toThrow();
    }
  });
});

describe('A webhook that nobody takes', () => {
  it('O20: is given up after three days and at least ten attempts, and a late report still counts', async () => {
    receiver.answer = (response) => response.writeHead(500).end();
    await world.endpoint(receiver.url);
    begin();
    const paymentId = await world.paidPayment();
    await attempted(paymentId, 1);
    let hours = 0;
    for (; (await world.status(paymentId)) === 'requested'; hours += 2) {
      world.clock.advance(2 * 3600);
      const due = await world.nextDue();
      if (due === null || due <= world.clock.now()) await world.quiet();
      expect(hours).toBeLessThan(100);
    }
    expect(await world.status(paymentId)).toBe('unanswered');
    const attempts = await world.attempts(paymentId);
    expect(hours).toBeGreaterThanOrEqual(72);
    expect(attempts.length).toBeGreaterThanOrEqual(10);
    expect(new Set(attempts.map(({ message_id }) => message_id)).size).toBe(1);
    expect(await world.deliveries(paymentId)).toMatchObject([{ status: 'dead', attempts: attempts.length }]);
  });
});

describe('A secret', () => {
  it('is in no log, attempt or job', async () => {
    const written: string[] = [];
    const spies = [process.stdout, process.stderr].map((stream) =>
      jest.spyOn(stream, 'write').mockImplementation((chunk) => {
        written.push(String(chunk));
        return true;
      }),
    );
    try {
      receiver.answer = (response, { headers }) => response.writeHead(500).end(JSON.stringify(headers));
      const { secret } = await world.endpoint(receiver.url);
      begin();
      const paymentId = await world.paidPayment();
      await attempted(paymentId, 1);
      const { rows } = await world.database.pool.query<{ all: string }>(
        `select (select json_agg(d)::text from webhook_delivery d) || (select json_agg(w)::text from webhook w) || (select json_agg(a)::text from webhook_attempt a)
           || (select json_agg(e)::text from event e) as all`,
      );
      const everything = written.join('') + (rows[0]?.all ?? '');
      expect(everything).toContain('a webhook was not delivered');
      expect(everything).not.toContain(secret);
      expect(everything).not.toContain(secret.slice('whsec_'.length));
    } finally {
      for (const spy of spies) spy.mockRestore();
    }
  });
});
