import type { LookupFunction } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { WebhookClient, type WebhookClientOptions } from '../../src/fulfillment/webhook.client.js';
import { Receiver } from './support.js';

let receiver: Receiver;
let client: WebhookClient | null = null;
beforeEach(async () => {
  receiver = await new Receiver().open();
});
afterEach(async () => {
  client?.onApplicationShutdown();
  await receiver.close();
});

const never = new AbortController().signal;
const secrets = [`whsec_${Buffer.alloc(32, 7).toString('base64')}`];
const send = (url: string, options: Partial<WebhookClientOptions> = {}) => {
  client = new WebhookClient({
    sandbox: false,
    publicUrl: 'https://pay.example.com',
    userAgent: 'Finality/0.1.0',
    timeoutMs: 1500,
    ...options,
  });
  return client.send({ url, secrets, messageId: 'message', body: '{}' }, never);
};

/** A name server that says these things one after the other. */
const names = (...answers: string[][]): LookupFunction => {
  let at = 0;
  return (_, options, callback) => {
    const addresses = (answers[Math.min(at++, answers.length - 1)] ?? []).map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    }));
    if (options.all) callback(null, addresses);
    else callback(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 4);
  };
};

describe('A webhook outside the sandbox', () => {
  it.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '240.0.0.1',
    '192.0.0.1',
    '198.18.0.1',
    '203.0.113.1',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:a9fe:a9fe',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '::7f00:1',
    'fd00::1',
    'fe80::1',
    '5f00::1',
    '100::1',
  ])('does not connect where a name leads to %s', async (address) => {
    expect(await send('https://shop.example.org/', { lookup: names([address]) })).toMatchObject({
      outcome: 'blocked_address',
      status: null,
    });
  });

  it('does not connect where one of several addresses is private', async () => {
    expect(await send('https://shop.example.org/', { lookup: names(['8.8.8.8', '127.0.0.1']) })).toMatchObject({
      outcome: 'blocked_address',
    });
  });

  it('checks the address of each connection, not only of the first', async () => {
    const lookup = names(['240.0.0.1'], ['127.0.0.1']);
    expect(await send('https://shop.example.org/', { lookup })).toMatchObject({ outcome: 'blocked_address' });
    expect(await send('https://shop.example.org/', { lookup })).toMatchObject({ outcome: 'blocked_address' });
  });

  it.each([
    'http://shop.example.org/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://localhost/',
    'https://shop.example.org:8443/',
  ])('is not sent to %s, though it was taken once', async (url) =>
    expect(await send(url)).toMatchObject({ outcome: 'blocked_address' }),
  );

  it('knows a name that does not exist', async () => {
    const lookup: LookupFunction = (_, __, callback) =>
      callback(Object.assign(new Error('no such name'), { code: 'ENOTFOUND' }), '', 4);
    expect(await send('https://shop.example.org/', { lookup })).toMatchObject({ outcome: 'dns' });
  });
});

describe('A webhook in the sandbox', () => {
  const sandbox = { sandbox: true };

  it('reaches a local server by its exact bytes', async () => {
    expect(await send(receiver.url, sandbox)).toMatchObject({ outcome: 'success', status: 200 });
    expect(receiver.requests).toMatchObject([{ body: '{}', headers: { 'webhook-id': 'message' } }]);
  });

  it('uses no proxy of the environment', async () => {
    const proxy = await new Receiver().open();
    const before = { ...process.env };
    Object.assign(process.env, {
      HTTP_PROXY: proxy.url,
      http_proxy: proxy.url,
      HTTPS_PROXY: proxy.url,
      ALL_PROXY: proxy.url,
      NO_PROXY: '',
    });
    try {
      expect(await send(receiver.url, sandbox)).toMatchObject({ outcome: 'success' });
      expect(proxy.requests).toEqual([]);
    } finally {
      for (const name of ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY']) {
        if (before[name] === undefined) Reflect.deleteProperty(process.env, name);
        else process.env[name] = before[name];
      }
      await proxy.close();
    }
  });

  it('tells a server that does not speak TLS', async () => {
    expect(await send(receiver.url.replace('http:', 'https:'), sandbox)).toMatchObject({
      outcome: 'tls',
      status: null,
    });
  });

  it('is cut off by its caller without an outcome', async () => {
    receiver.answer = () => undefined;
    client = new WebhookClient({ ...sandbox, publicUrl: 'https://pay.example.com', userAgent: 'Finality/0.1.0' });
    const stop = new AbortController();
    const sent = client.send({ url: receiver.url, secrets, messageId: 'message', body: '{}' }, stop.signal);
    stop.abort(new Error('stopping'));
    await expect(sent).rejects.toThrow('cut off');
  });

  it('keeps a 500 a 500 when its body never ends', async () => {
    receiver.answer = (response) => void response.writeHead(500).write('half');
    expect(await send(receiver.url, { ...sandbox, timeoutMs: 200 })).toMatchObject({
      outcome: 'http_5xx',
      status: 500,
    });
  });
});
