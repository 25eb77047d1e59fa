import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, startTestService, until, type TestService } from '../support/service.js';

const order = (orderId: string) => ({ orderId, amount: '10.00', currency: 'USD' });

describe('Asking the gateway for an invoice', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  const invoicesOf = async (paymentId: string): Promise<number> => {
    const answer = await fetch(`${shop.sandboxUrl}/v1/payment?size=200`, {
      headers: { merchant_api_key: shop.config.merchantKeys[0] ?? '' },
    });
    const { data } = (await answer.json()) as { data: { list: { order_id: string }[] } };
    return data.list.filter((invoice) => invoice.order_id === paymentId).length;
  };

  it('opens: 201, with the address for the payer, and the intent was recorded first', async () => {
    const { status, body } = await shop.api('POST', '/v1/payments', order('opened'));
    expect(status).toBe(201);
    expect(body.paymentUrl).toMatch(/^http/);
    const events = await shop.api('GET', `/v1/payments/${body.id as string}/events`);
    expect(events.body.items.map((event: { type: string }) => event.type)).toEqual([
      'PaymentRequested',
      'InvoiceOpened',
    ]);
  });

  it('is refused: the payment failed with the reason, and the order may try again', async () => {
    const refused = await shop.api('POST', '/v1/payments', { ...order('refused'), currency: 'ZZZ' });
    expect(refused.status).toBe(422);
    expect(refused.body).toMatchObject({ type: 'urn:finality:problem:gateway-refused', paymentId: expect.any(String) });
    const payment = await shop.api('GET', `/v1/payments/${refused.body.paymentId as string}`);
    expect(payment.body).toMatchObject({ status: 'failed', progress: 'closed' });
    const again = await shop.api('POST', '/v1/payments', order('refused'));
    expect(again.status).toBe(201);
  });

  it('has an unknown outcome when the answer is lost: 202, then the invoice is found by its order id and adopted, not opened twice', async () => {
    await shop.control('/_sandbox/faults', { seed: 3, api: { timeoutRate: 1, timeoutMs: 200 } }, 'PUT');
    const created: { status: number; body: { id: string; status: string } }[] = [];
    for (let n = 0; n < 6; n++) created.push(await shop.api('POST', '/v1/payments', order(`lost-${String(n)}`)));
    await shop.control('/_sandbox/faults', { seed: 3, api: {} }, 'PUT');
    expect(created.map(({ status, body }) => [status, body.status])).toEqual(created.map(() => [202, 'created']));
    const before = await Promise.all(created.map(({ body }) => invoicesOf(body.id)));
    // The gateway took some of them and lost the answer, and never saw the others.
    expect(new Set(before)).toEqual(new Set([0, 1]));

    await shop.control('/_sandbox/clock/advance', { seconds: 60 });
    for (const [index, { body }] of created.entries()) {
      const opened = await until(async () => {
        const { body: now } = await shop.api('GET', `/v1/payments/${body.id}`);
        return now.status === 'pending' && now;
      }, 10_000);
      expect(opened.paymentUrl).toMatch(/^http/);
      expect(await invoicesOf(body.id)).toBe(1);
      const events = await shop.api('GET', `/v1/payments/${body.id}/events`);
      const last = events.body.items.at(-1) as { type: string; data: { adopted: boolean } };
      expect([last.type, last.data.adopted]).toEqual(['InvoiceOpened', before[index] === 1]);
    }
  });
});

describe('While the gateway cannot be reached', () => {
  let gatewayPort: number;
  let shop: TestService;
  let server: Server | null = null;
  beforeAll(async () => {
    gatewayPort = await freePort();
    shop = await startTestService({ sandbox: false, gatewayPort });
  });
  afterAll(async () => {
    await shop.close();
    server?.close();
    server?.closeAllConnections();
  });

  it('a create answers 202 created at once, says why, and opens by itself when the gateway is back', async () => {
    const { status, body } = await shop.api('POST', '/v1/payments', order('down'));
    expect([status, body.status, body.progress]).toEqual([202, 'created', 'opening']);
    const why = await shop.api('GET', `/v1/payments/${body.id as string}/explanation`);
    expect(why.body).toMatchObject({ complete: false, blockedBy: 'invoice_not_open', waitingOn: 'gateway' });

    server = await gatewayThatOpens(gatewayPort);
    shop.clock.advance(30);
    const opened = await until(async () => {
      const { body: now } = await shop.api('GET', `/v1/payments/${body.id as string}`);
      return now.status === 'pending' && now;
    }, 10_000);
    expect(opened).toMatchObject({ trackId: '900000001', paymentUrl: 'https://pay.example/900000001' });
  });

  it('the same order asked for again is the same payment, not a second one', async () => {
    const first = await shop.api('POST', '/v1/payments', order('twice'));
    const second = await shop.api('POST', '/v1/payments', order('twice'));
    expect(second.body.id).toBe(first.body.id);
    const other = await shop.api('POST', '/v1/payments', { ...order('twice'), amount: '11.00' });
    expect(other.status).toBe(409);
    expect(other.body).toMatchObject({ type: 'urn:finality:problem:order-has-payment', paymentId: first.body.id });
  });
});

/** A gateway that has no payments yet and opens every invoice. */
function gatewayThatOpens(port: number): Promise<Server> {
  let opened = 0;
  const server = createServer((request, answer) => {
    const seconds = Math.floor(Date.now() / 1000);
    const trackId = String(900_000_000 + ++opened);
    const data =
      request.method === 'POST'
        ? {
            track_id: trackId,
            payment_url: `https://pay.example/${trackId}`,
            expired_at: seconds + 3600,
            date: seconds,
          }
        : { list: [], meta: { page: 1, last_page: 1, total: 0 } };
    if (request.method !== 'POST') opened--;
    request.resume();
    answer.setHeader('content-type', 'application/json');
    answer.end(
      JSON.stringify({ data, message: 'Operation completed successfully!', error: {}, status: 200, version: '1.0.0' }),
    );
  });
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => {
      expect((server.address() as AddressInfo).port).toBe(port);
      resolve(server);
    });
  });
}
