import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { refusals } from '../../src/kernel/refusal.js';
import { problemType } from '../../src/platform/http/problem.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { describeSchema } from './schema.js';
import { isUpToDate } from './up-to-date.js';

describe('The generated documents are those of the code', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  it('docs/openapi.json is the document that the service serves', async () => {
    const { body } = await shop.api('GET', '/openapi.json');
    await isUpToDate('docs/openapi.json', `${JSON.stringify(body, null, 2)}\n`);
  });

  it('docs/schema.sql is the outcome of the migrations', async () => {
    await isUpToDate('docs/schema.sql', await describeSchema(shop.database.pool));
  });

  it('docs/errors.md lists every refusal', async () => {
    const rows = Object.entries(refusals).map(
      ([code, { status, title }]) =>
        `| ${String(status)} | \`${problemType(code as keyof typeof refusals)}\` | ${title} |`,
    );
    const head =
      '# Errors\n\nEvery error of the API is an RFC 9457 problem document (`application/problem+json`). `type` is stable: branch on it, show\n`detail` to people, and find the fields at fault in `errors` (`pointer` is a JSON pointer into the body, `?name` a query\nparameter). Generated from the code by `npm run docs`.\n\n| status | type | title |\n| --- | --- | --- |\n';
    await isUpToDate('docs/errors.md', `${head}${rows.sort().join('\n')}\n`);
  });

  const create = async (body: Record<string, unknown>): Promise<{ id: string; trackId: string }> =>
    (await shop.api('POST', '/v1/payments', body)).body as { id: string; trackId: string };
  const order = (orderId: string, wish = {}): Record<string, unknown> => ({
    orderId,
    amount: '50.00',
    currency: 'USD',
    ...wish,
  });
  const play = async (scenario: string, trackId: string): Promise<unknown> =>
    shop.control(`/_sandbox/scenarios/${scenario}`, { trackId });
  const happened = async (type: string): Promise<unknown> =>
    until(async () => {
      const { rows } = await shop.database.pool.query('select 1 from event where type = $1', [type]);
      return rows.length > 0;
    }, 10_000);
  const refundTo = { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON' };

  /** Exceptions of every kind, one after the other, until each has left its events. */
  const exceptions = async (paid: string): Promise<void> => {
    const over = await create(order('order-2', { customerId: 'customer-7' }));
    await play('overpaid', over.trackId);
    await happened('CreditAdded');
    const spending = await create(order('order-3', { customerId: 'customer-7', useCredit: true }));
    await shop.api('POST', `/v1/payments/${spending.id}/cancel`);
    await happened('CreditReturned');
    await create(order('order-4', { customerId: 'customer-8', useCredit: true }));
    await happened('CreditDeclined');
    const tip = await create(order('order-5'));
    await play('overpaid', tip.trackId);
    await happened('ReviewOpened');
    const decision = { decision: 'accept', actor: 'support@shop.example', note: 'a tip' };
    await shop.api('POST', `/v1/payments/${tip.id}/review`, decision);
    await happened('ExcessKept');
    const short = await create(order('order-6'));
    await play('underpaid', short.trackId);
    await until(async () => (await shop.api('GET', `/v1/payments/${short.id}`)).body.received === '30.00');
    const rest = await create({ remainderOf: short.id });
    await play('exact', rest.trackId);
    await happened('RemainderSettled');
    await shop.api('POST', `/v1/payments/${paid}/refunds`, { ...refundTo, reason: 'returned goods' });
    await happened('RefundSubmitted');
    await shop.control('/_sandbox/clock/advance', { seconds: 120 });
    await shop.control('/_sandbox/clock/advance', { seconds: 120 });
    await happened('RefundConfirmed');
    const late = await create(order('order-7', { policy: { latePayment: { window: 'PT72H', then: 'accept' } } }));
    await play('late', late.trackId);
    await shop.control('/_sandbox/clock/advance', { seconds: 900 });
    await happened('PricesRecorded');
  };

  it('docs/events/ holds an example of events as they are stored', async () => {
    const { id, trackId } = await create({ orderId: 'order-1', amount: '49.90', currency: 'USD' });
    await play('exact', trackId);
    await until(async () => (await shop.api('GET', '/v1/orders/order-1')).body.fulfillment === 'requested');
    await shop.api('POST', `/v1/payments/${id}/fulfillment`, { outcome: 'fulfilled' });
    await shop.api('PUT', '/v1/policies/standard', { paidWhen: { rule: 'detected' } });
    const link = await shop.api('POST', '/v1/payment-links', { currency: 'USD', description: 'a tip' });
    await shop.api('DELETE', `/v1/payment-links/${String(link.body.id)}`);
    await exceptions(id);
    const items = await feedOf(shop);
    const types = [...new Set(items.map(shapeOf))].sort();
    const text = `# Events\n\nThe facts in the store and the fields of their data, as payments of every kind, their fulfilment, the credit of customers,\npolicies and payment links leave them. \`src/payments/payment.ts\` says what each means, and has the rarer ones. Events are\nimmutable; a change of shape gets a new schema version. Generated by \`npm run docs\`.\n\n| event | version | data |\n| --- | --- | --- |\n${types.join('\n')}\n`;
    await isUpToDate('docs/events/README.md', text);
  });
});

interface Fact {
  type: string;
  schemaVersion: number;
  data: Record<string, unknown>;
}

async function feedOf(shop: TestService): Promise<Fact[]> {
  const items: Fact[] = [];
  for (let after = '0'; ;) {
    const { body } = await shop.api('GET', `/v1/events?after=${after}`);
    items.push(...(body.items as Fact[]));
    if (body.nextCursor === after) return items;
    after = body.nextCursor as string;
  }
}

const shapeOf = ({ type, schemaVersion, data }: Fact): string =>
  `| ${type} | ${String(schemaVersion)} | ${Object.keys(data)
    .map((key) => `\`${key}\``)
    .join(', ')} |`;
