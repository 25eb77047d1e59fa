import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { WebhookClient } from '../../src/fulfillment/webhook.client.js';
import { deliveryStatuses } from '../../src/fulfillment/webhook-deliveries.pg.js';
import { webhookTypes } from '../../src/fulfillment/webhook-types.js';
import { Receiver, type Received } from '../fulfillment/support.js';

type IsGenuine = (headers: Record<string, string>, body: string, secret: string) => boolean;

const secretOf = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString('base64')}`;

describe('The guide to webhooks', () => {
  let guide = '';
  let folder = '';
  let isGenuine: IsGenuine;
  beforeAll(async () => {
    guide = await readFile('docs/webhooks.md', 'utf8');
    const code = /<!-- verify: begin -->\s*```js\n(.*?)```\s*<!-- verify: end -->/s.exec(guide)?.[1] ?? '';
    folder = await mkdtemp(join(tmpdir(), 'finality-guide-'));
    const file = join(folder, 'verify.mjs');
    await writeFile(file, code);
    ({ isGenuine } = (await import(pathToFileURL(file).href)) as { isGenuine: IsGenuine });
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** What arrives when a webhook is sent. */
  const sent = async (secrets: string[], body: string): Promise<Received> => {
    const receiver = await new Receiver().open();
    const client = new WebhookClient({ sandbox: true, publicUrl: 'https://pay.example.com', userAgent: 'Finality/0' });
    await client.send({ url: receiver.url, secrets, messageId: 'a', body }, new AbortController().signal);
    client.onApplicationShutdown();
    await receiver.close();
    const [received] = receiver.requests;
    if (!received) throw new Error('nothing arrived');
    return received;
  };

  it('verifies what is sent, with either secret of a rotation, and nothing else', async () => {
    const [older, newer, strange] = [secretOf(1), secretOf(2), secretOf(3)];
    const { headers, body } = await sent([newer, older], '{"type":"payment.paid","n":"ü"}');
    expect([newer, older, strange].map((secret) => isGenuine(headers, body, secret))).toEqual([true, true, false]);
    expect(isGenuine(headers, `${body} `, newer)).toBe(false);
    expect(isGenuine({ ...headers, 'webhook-id': 'b' }, body, newer)).toBe(false);
    for (const time of ['0', 'x', '', String(Math.floor(Date.now() / 1000) - 301)])
      expect(isGenuine({ ...headers, 'webhook-timestamp': time }, body, newer)).toBe(false);
    for (const signature of ['', 'v1,', 'v1', headers['webhook-signature']?.replaceAll('v1,', 'v2,') ?? ''])
      expect(isGenuine({ ...headers, 'webhook-signature': signature }, body, newer)).toBe(false);
    const { 'webhook-signature': _, ...unsigned } = headers;
    expect(isGenuine(unsigned, body, newer)).toBe(false);
  });

  it('names every type and every status', () => {
    const told = [...guide.matchAll(/`((?:payment|fulfillment)?\.[a-z_]+)`/g)].map(([, name = '']) => name);
    expect(webhookTypes.filter((type) => !told.some((name) => type.endsWith(name)))).toEqual([]);
    for (const status of deliveryStatuses) expect(guide).toMatch(new RegExp(`^\\| \`${status}\``, 'm'));
  });
});
