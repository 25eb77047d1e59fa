import { connect, createServer, type AddressInfo, type LookupFunction, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  WebhookClient,
  type WebhookClientOptions,
  type WebhookResponse,
} from '../../src/fulfillment/webhook.client.js';
import { webhookUrlFault } from '../../src/fulfillment/webhook-url.js';
import { startTestService, type TestService } from '../support/service.js';
import { hostileUrls, specialIpv4, specialIpv6 } from './hostile-urls.js';
import { NameServer } from './name-server.js';

const live = { sandbox: false, publicUrl: 'https://pay.example.com' };
const secrets = [`whsec_${Buffer.alloc(32, 7).toString('base64')}`];

/** Public by every registry, and given to nobody: nothing is ever reached there. */
const nobodys = '2d00::1';

/** Whatever is sent to this machine ends here: at port 443, where the test may listen on it, and at one that is free. */
class Machine {
  connections = 0;
  standard = false;
  port = 0;
  private readonly servers: Server[] = [];

  async open(): Promise<this> {
    this.port = (await this.listen(0, '::')) ?? (await this.listen(0, '0.0.0.0')) ?? 0;
    this.standard = ((await this.listen(443, '::')) ?? (await this.listen(443, '0.0.0.0'))) !== null;
    return this;
  }

  private listen(port: number, host: string): Promise<number | null> {
    const server = createServer((socket) => {
      this.connections += 1;
      socket.on('error', () => undefined).destroy();
    });
    return new Promise((resolve) => {
      server.once('error', () => resolve(null));
      server.listen(port, host, () => {
        this.servers.push(server);
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}

const names = (...addresses: string[]): LookupFunction => {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
  return (_, options, callback) =>
    options.all ? callback(null, found) : callback(null, found[0]?.address ?? '', found[0]?.family ?? 4);
};

let machine: Machine;
beforeAll(async () => {
  machine = await new Machine().open();
});
afterAll(() => machine.close());

const clients: WebhookClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.onApplicationShutdown();
});
const clientWith = (options: Partial<WebhookClientOptions> = {}): WebhookClient => {
  const client = new WebhookClient({ ...live, userAgent: 'Finality/0.1.0', timeoutMs: 1500, ...options });
  clients.push(client);
  return client;
};
const send = (client: WebhookClient, url: string): Promise<WebhookResponse> =>
  client.send({ url, secrets, messageId: 'message', body: '{}' }, new AbortController().signal);
const filled = (url: string): string => url.replace('{port}', String(machine.port));

/** The connections that `act` makes to this machine, those included that are seen a moment later. */
async function connectionsOf(act: () => Promise<void>): Promise<number> {
  const before = machine.connections;
  await act();
  // Connections are accepted in their order: when this one is seen, so are all before it.
  const at = machine.connections;
  const marker = connect(machine.port, '127.0.0.1');
  await new Promise((resolve, reject) => marker.once('close', resolve).once('error', reject));
  expect(machine.connections).toBeGreaterThan(at);
  return machine.connections - before - 1;
}

describe('O10, O11, O12, O13, O14, O15, O16, O18: a webhook that would lead inside', () => {
  it('has more than 120 spellings here, all different', () => {
    expect(new Set(hostileUrls).size).toBe(hostileUrls.length);
    expect(hostileUrls.length).toBeGreaterThan(240);
  });

  it.each(hostileUrls.map((url) => [url]))('is refused when it is registered: %j', (url) => {
    expect(webhookUrlFault(filled(url), live)).toMatch(/^must /);
  });

  it('is not sent either, should it have been registered once: no name is looked up, nothing is connected', async () => {
    const looked: string[] = [];
    const lookup: LookupFunction = (name, options, callback) => {
      looked.push(name);
      names('127.0.0.1')(name, options, callback);
    };
    const client = clientWith({ lookup });
    const connections = await connectionsOf(async () => {
      for (const url of hostileUrls.map(filled))
        expect([url, await send(client, url)]).toEqual([
          url,
          expect.objectContaining({ outcome: 'blocked_address', status: null }),
        ]);
    });
    expect([connections, looked]).toEqual([0, []]);
  });

  it('is not sent where a name of the public Internet leads there', async () => {
    for (const address of [...specialIpv4, ...specialIpv6]) {
      for (const answer of [[address], [nobodys, address], [address, nobodys]]) {
        const client = clientWith({ lookup: names(...answer) });
        const connections = await connectionsOf(async () =>
          expect([answer, await send(client, 'https://shop.example.org/')]).toEqual([
            answer,
            expect.objectContaining({ outcome: 'blocked_address', status: null }),
          ]),
        );
        expect([answer, connections]).toEqual([answer, 0]);
      }
    }
  });

  it('would have arrived: the sandbox, where such webhooks may be sent, reaches this machine', async () => {
    const urls = ['https://shop.example.org:{port}/', 'https://127.1:{port}/', 'http://①②⑦.0.0.1:{port}/'];
    if (machine.standard) urls.push('https://shop.example.org/', 'https://0x7f000001/');
    const client = clientWith({ sandbox: true, lookup: names('127.0.0.1') });
    const connections = await connectionsOf(async () => {
      for (const url of urls.map(filled)) expect((await send(client, url)).outcome).toMatch(/^(tls|connect)$/);
    });
    expect(connections).toBe(urls.length);
  });
});

describe('O14: a name whose server changes its mind', () => {
  const dns: NameServer[] = [];
  afterEach(() => Promise.all(dns.splice(0).map((server) => server.close())));
  const served = async (...script: string[][]): Promise<NameServer> => {
    const server = await new NameServer(script).open();
    dns.push(server);
    return server;
  };

  it('is asked once for an attempt, and what it said then is what is dialled', async () => {
    const server = await served([nobodys], ['::1']);
    const client = clientWith({ lookup: server.lookup });
    const connections = await connectionsOf(async () => {
      // Had it been asked again between the check and the dialling, this would have been a connection to ::1.
      expect((await send(client, 'https://shop.example.org/')).outcome).toMatch(/^(connect|timeout)$/);
      expect(server.questions).toBe(1);
      expect((await send(client, 'https://shop.example.org/')).outcome).toBe('blocked_address');
      expect(server.questions).toBe(2);
    });
    expect(connections).toBe(0);
  });

  it('is not trusted with one public and one private address, in either order', async () => {
    for (const answer of [
      [nobodys, '::1'],
      ['::1', nobodys],
      [nobodys, nobodys, '::ffff:7f00:1'],
    ]) {
      const server = await served(answer);
      const client = clientWith({ lookup: server.lookup });
      const connections = await connectionsOf(async () =>
        expect((await send(client, 'https://shop.example.org/')).outcome).toBe('blocked_address'),
      );
      expect([answer, connections, server.questions]).toEqual([answer, 0, 1]);
    }
  });
});

describe('The API with a real gateway', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService({
      sandbox: false,
      env: {
        GATEWAY: 'oxapay',
        PUBLIC_URL: live.publicUrl,
        OXAPAY_BASE_URL: 'https://api.oxapay.example/v1',
      },
    });
  });
  afterAll(() => shop.close());
  const api = async (method: string, path: string, body: unknown) => {
    const answer = await fetch(`http://127.0.0.1:${String(shop.config.port)}${path}`, {
      method,
      headers: { authorization: `Bearer ${String(shop.config.apiKey)}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
  };

  it('answers every such URL with 422 and names the field, at the create and at a change', async () => {
    const { body: good } = await api('POST', '/v1/webhook-endpoints', { url: 'https://shop.example.org/hooks' });
    expect(good).toMatchObject({ url: 'https://shop.example.org/hooks' });
    const routes = [
      ['POST', '/v1/webhook-endpoints'],
      ['PATCH', `/v1/webhook-endpoints/${String(good['id'])}`],
    ] as const;
    // No string of a body may hold U+0000: such a body is not even read.
    for (const url of hostileUrls.map(filled).filter((text) => !text.includes('\0'))) {
      for (const [method, path] of routes)
        expect([url, await api(method, path, { url })]).toEqual([
          url,
          { status: 422, body: expect.objectContaining({ errors: [expect.objectContaining({ pointer: '/url' })] }) },
        ]);
    }
    const { rows } = await shop.database.pool.query<{ url: string }>('select url from webhook_endpoint');
    expect(rows).toEqual([{ url: 'https://shop.example.org/hooks' }]);
  });
});
