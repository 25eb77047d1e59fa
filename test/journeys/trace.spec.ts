import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Receiver } from '../fulfillment/support.js';
import { Collector, type ExportedSpan } from '../support/collector.js';
import { startTestService, until, type TestService } from '../support/service.js';

interface StoredEvent {
  id: string;
  type: string;
  correlationId: string;
}

describe('A payment that is paid by a callback, traced', () => {
  let collector: Collector;
  let receiver: Receiver;
  let shop: TestService;
  let id: string;
  let spans: ExportedSpan[];
  let traceId: string;
  let correlationId: string;
  const callersTrace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const callersSpan = '00f067aa0ba902b7';

  const byName = (name: string): ExportedSpan[] => spans.filter((span) => span.name === name);
  const eventsOf = async (): Promise<StoredEvent[]> =>
    (await shop.api('GET', `/v1/payments/${id}/events`)).body.items as StoredEvent[];
  /** From a span to the beginning of its trace, by name. */
  const ancestry = (span: ExportedSpan | undefined): string[] =>
    span === undefined
      ? []
      : [span.name, ...ancestry(spans.find(({ spanId }) => spanId === span.parentSpanId && span.parentSpanId !== ''))];

  beforeAll(async () => {
    collector = await new Collector().open();
    receiver = await new Receiver().open();
    shop = await startTestService({
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SERVICE_NAME: 'finality-test' },
    });
    await shop.api('POST', '/v1/webhook-endpoints', { url: receiver.url });
    const order = { orderId: 'traced-1', amount: '50.00', currency: 'USD' };
    const traceparent = `00-${callersTrace}-${callersSpan}-01`;
    const { body, headers } = await shop.api('POST', '/v1/payments', order, { traceparent });
    id = body.id as string;
    expect(headers.get('x-request-id')?.replaceAll('-', '')).toBe(callersTrace);
    await shop.control('/_sandbox/scenarios/exact', { trackId: body.trackId as string });
    await until(() => Promise.resolve(receiver.requests.some(({ body: sent }) => sent.includes('"payment.paid"'))));
    await until(() =>
      Promise.resolve(receiver.requests.some(({ body: sent }) => sent.includes('fulfillment.requested'))),
    );
    const paid = (await eventsOf()).find(({ type }) => type === 'PaymentPaid');
    correlationId = paid?.correlationId ?? '';
    traceId = correlationId.replaceAll('-', '');
    // Stopping sends what waits.
    await shop.service.close();
    spans = collector.spans;
  });
  afterAll(async () => {
    await shop.sandbox?.close();
    await shop.database.drop();
    await receiver.close();
    await collector.close();
  });

  it('leads from the callback to the webhook by one id', () => {
    const attempt = byName('webhook attempt').find(
      (span) => span.attributes['finality.webhook.type'] === 'payment.paid',
    );
    expect(attempt?.traceId).toBe(traceId);
    expect(ancestry(attempt)).toEqual([
      'webhook attempt',
      'webhook payment.paid',
      'PaymentPaid',
      'append',
      'POST /v1/callbacks/oxapay/:account',
    ]);
    expect(attempt?.attributes).toMatchObject({ 'finality.outcome': 'success', 'finality.webhook.attempt': 1 });
    const callback = collector.ofTrace(traceId).find(({ name }) => name.includes('callbacks'));
    expect(callback?.attributes).toMatchObject({
      'finality.callback.result': 'applied',
      'http.response.status_code': 200,
    });
  });

  it('asks for the goods in the trace of what made the payment fulfillable', () => {
    const asked = byName('webhook attempt').find(
      (span) => span.attributes['finality.webhook.type'] === 'fulfillment.requested',
    );
    expect(ancestry(asked)).toEqual([
      'webhook attempt',
      'webhook fulfillment.requested',
      'FulfillmentRequested',
      'append',
      'fulfillment',
      'PaymentCorroborated',
      'append',
      'look at a payment',
    ]);
  });

  it("continues the trace of the request that the application sent, and is named in that request's answer", () => {
    const request = spans.find((span) => span.name === 'POST /v1/payments' && span.traceId === callersTrace);
    expect(request).toMatchObject({ parentSpanId: callersSpan, failed: false });
    const told = byName('webhook attempt').find(
      (span) => span.attributes['finality.webhook.type'] === 'payment.created',
    );
    expect(ancestry(told).at(-1)).toBe('POST /v1/payments');
    const gateway = collector.ofTrace(callersTrace).filter(({ name }) => name === 'OxaPay POST');
    expect(gateway.map(({ attributes }) => attributes)).toEqual([
      { 'url.path': '/payment/invoice', 'finality.outcome': 'ok' },
    ]);
  });

  it('knows the parent of every span but the first of each trace, and no two by one id', () => {
    const ids = new Set(spans.map(({ spanId }) => spanId));
    expect(ids.size).toBe(spans.length);
    const orphans = spans.filter(({ parentSpanId }) => parentSpanId !== '' && !ids.has(parentSpanId));
    expect(orphans.map(({ name, parentSpanId }) => [name, parentSpanId])).toEqual([['POST /v1/payments', callersSpan]]);
    const roots = spans.filter(({ parentSpanId }) => parentSpanId === '');
    expect(new Set(roots.map((span) => span.traceId)).size).toBe(roots.length);
    expect(collector.services).toEqual(new Set(['finality-test']));
  });

  it('hands the id to whoever receives the webhook', () => {
    const sent = receiver.requests.find(({ body }) => body.includes('"payment.paid"'));
    const [, sentTrace, sentSpan] = (sent?.headers['traceparent'] ?? '').split('-');
    expect(sentTrace).toBe(traceId);
    expect(spans.find(({ spanId }) => spanId === sentSpan)?.name).toBe('webhook attempt');
  });

  it('writes the same id in the lines of the log', () => {
    const lines = shop.logged.map((line) => JSON.parse(line) as Record<string, unknown>);
    const ofRequest = lines.filter((line) => line['correlationId'] === correlationId);
    expect(ofRequest.map(({ msg, status, level }) => ({ msg, status, level }))).toContainEqual({
      msg: 'a request was answered',
      status: 200,
      level: 'debug',
    });
  });

  it('tells of no address, no e-mail, no key and no body', () => {
    const exported = collector.bodies.join('\n');
    const names = new Set(spans.flatMap(({ attributes }) => Object.keys(attributes)));
    expect([...names].sort()).toEqual([
      'finality.callback.result',
      'finality.event_types',
      'finality.outcome',
      'finality.payment_id',
      'finality.position',
      'finality.stream_id',
      'finality.version',
      'finality.webhook.attempt',
      'finality.webhook.endpoint_id',
      'finality.webhook.id',
      'finality.webhook.type',
      'http.request.method',
      'http.response.status_code',
      'http.route',
      'url.path',
    ]);
    for (const secret of [shop.config.apiKey, ...shop.config.merchantKeys, '50.00'])
      expect(exported).not.toContain(secret);
  });
});

describe('A payment that is paid by a callback while no traces are exported', () => {
  it('has one id in its events, its evidence and the log all the same', async () => {
    const shop = await startTestService();
    const order = { orderId: 'untraced-1', amount: '50.00', currency: 'USD' };
    const { id, trackId } = (await shop.api('POST', '/v1/payments', order)).body as { id: string; trackId: string };
    await shop.control('/_sandbox/scenarios/exact', { trackId });
    const paid = async (): Promise<StoredEvent | undefined> =>
      ((await shop.api('GET', `/v1/payments/${id}/events`)).body.items as StoredEvent[]).find(
        ({ type }) => type === 'PaymentPaid',
      );
    await until(async () => (await paid()) !== undefined);
    const correlationId = (await paid())?.correlationId ?? '';
    const { rows } = await shop.database.pool.query('select source from inbox where id = $1', [correlationId]);
    const lines = shop.logged.map((line) => JSON.parse(line) as Record<string, unknown>);
    await shop.close();
    expect(rows).toEqual([{ source: 'callback:default' }]);
    expect(lines.filter((line) => line['correlationId'] === correlationId)).toContainEqual(
      expect.objectContaining({ msg: 'a request was answered', route: '/v1/callbacks/oxapay/:account' }),
    );
  });
});
