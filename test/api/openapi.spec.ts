import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { refusals, type RefusalCode } from '../../src/kernel/refusal.js';
import { problemType } from '../../src/platform/http/problem.js';
import { checkpointKey, startTestService, until, type TestService } from '../support/service.js';
import { addDelivery, created, credited, order, payAll, send } from './support.js';

interface Schema {
  $ref?: string;
  type?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  enum?: unknown[];
  nullable?: boolean;
  format?: string;
  example?: unknown;
  oneOf?: Schema[];
  allOf?: Schema[];
  additionalProperties?: Schema | boolean;
}
interface Content {
  content?: Record<string, { schema?: Schema; examples?: Record<string, { value: { type: string; status: number } }> }>;
  description?: string;
}
interface Operation {
  summary?: string;
  operationId?: string;
  security?: object[];
  parameters?: { name: string; in: string; schema?: Schema; examples?: Record<string, { value: string }> }[];
  requestBody?: Content;
  responses: Record<string, Content>;
}
interface Document {
  openapi: string;
  info: { title: string; version: string };
  servers: object[];
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema>; securitySchemes: Record<string, object> };
}

const types = new Set(Object.keys(refusals).map((code) => problemType(code as RefusalCode)));

describe('The OpenAPI document', () => {
  let shop: TestService;
  let document: Document;
  let operations: { route: string; path: string; operation: Operation }[];
  const problems = new Map<string, number>();

  beforeAll(async () => {
    shop = await startTestService({ env: { CHECKPOINT_KEY: checkpointKey } });
    document = (await shop.api('GET', '/openapi.json')).body as Document;
    operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        route: `${method.toUpperCase()} ${path}`,
        path,
        operation,
      })),
    );
  });
  afterAll(() => shop.close());

  const resolve = (schema: Schema): Schema => {
    if (schema.$ref === undefined) return schema;
    const name = schema.$ref.replace('#/components/schemas/', '');
    const found = document.components.schemas[name];
    if (!found) throw new Error(`${schema.$ref} leads nowhere`);
    return found;
  };

  /** What is wrong with a value under a schema. */
  function faults(value: unknown, given: Schema, at: string): string[] {
    const schema = resolve(given);
    if (value === null) return schema.nullable || given.nullable ? [] : [`${at} is null`];
    if (schema.allOf) return schema.allOf.flatMap((part) => faults(value, part, at));
    if (schema.oneOf)
      return schema.oneOf.some((part) => faults(value, part, at).length === 0) ? [] : [`${at} fits none`];
    if (schema.enum && !schema.enum.includes(value)) return [`${at} is not one of ${schema.enum.join(', ')}`];
    const kind = Array.isArray(value) ? 'array' : typeof value;
    if (schema.type !== undefined && schema.type !== kind && !(schema.type === 'integer' && kind === 'number'))
      return [`${at} is ${kind}, not ${schema.type}`];
    if (Array.isArray(value))
      return value.flatMap((item, index) => faults(item, schema.items ?? {}, `${at}/${String(index)}`));
    const text = typeof value === 'string' ? value : '';
    if (schema.format === 'date-time' && new Date(text).toISOString() !== text) return [`${at} is no time`];
    if (schema.format === 'uuid' && !/^[0-9a-f-]{36}$/.test(text)) return [`${at} is no UUID`];
    if (kind !== 'object' || !schema.properties) return [];
    const members = value as Record<string, unknown>;
    return [
      ...(schema.required ?? []).filter((name) => !(name in members)).map((name) => `${at}/${name} is missing`),
      ...Object.entries(members).flatMap(([name, member]) => {
        const own = schema.properties?.[name];
        return own ? faults(member, own, `${at}/${name}`) : [`${at}/${name} is not documented`];
      }),
    ];
  }

  const answerSchema = (route: string, status: number): Schema | undefined => {
    const response = operations.find((one) => one.route === route)?.operation.responses[String(status)];
    return response?.content?.['application/json']?.schema ?? response?.content?.['application/problem+json']?.schema;
  };

  it('is OpenAPI 3 with a title and our version, and every reference in it leads somewhere', () => {
    expect(document.openapi).toMatch(/^3\.[01]\.\d+$/);
    expect(document.info).toMatchObject({ title: 'Finality' });
    expect(Object.keys(document.components.securitySchemes)).toEqual(['bearer']);
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(refs.length).toBeGreaterThan(20);
    for (const $ref of refs) expect(() => resolve({ $ref })).not.toThrow();
  });

  it('gives every operation a summary, a name of its own, a 2xx answer and its parameters', () => {
    const names = operations.map(({ operation }) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
    for (const { route, path, operation } of operations) {
      expect([route, operation.summary?.trim() ?? '']).toEqual([route, expect.stringMatching(/^\S.{5,}$/)]);
      const good = Object.keys(operation.responses).filter((status) => status.startsWith('2'));
      expect([route, good.length > 0]).toEqual([route, true]);
      for (const status of good)
        if (status !== '204')
          expect([route, Object.keys(operation.responses[status]?.content ?? {}).length]).toEqual([route, 1]);
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
      expect((operation.parameters ?? []).filter((one) => one.in === 'path').map((one) => one.name)).toEqual(inPath);
    }
  });

  it('documents the refusals of every route under a key, with types of the closed list and the status of each', () => {
    for (const { route, operation } of operations) {
      for (const [status, { content = {}, description }] of Object.entries(operation.responses)) {
        if (Number(status) < 400) continue;
        expect([route, status, (description ?? '').length > 10]).toEqual([route, status, true]);
        for (const { value } of Object.values(content['application/problem+json']?.examples ?? {})) {
          expect(types).toContain(value.type);
          expect(String(value.status)).toBe(status);
          problems.set(`${route} ${value.type}`, value.status);
        }
      }
      if (route.includes('/callbacks/')) continue;
      expect(operation.security).toEqual([{ bearer: [] }]);
      for (const status of ['401', '400', '429', '503'])
        expect([route, Object.keys(operation.responses)]).toEqual([route, expect.arrayContaining([status])]);
      // What a PUT names need not be there.
      if (/\{/.test(route) && !route.startsWith('PUT'))
        expect([route, Object.keys(operation.responses)]).toEqual([route, expect.arrayContaining(['404'])]);
      if (!route.startsWith('GET')) {
        expect([route, Object.keys(operation.responses)]).toEqual([route, expect.arrayContaining(['409', '422'])]);
        expect([route, operation.parameters?.some((one) => one.name === 'Idempotency-Key')]).toEqual([route, true]);
      }
    }
    const mentioned = [...JSON.stringify(document).matchAll(/urn:finality:problem:[a-z-]+/g)].map((match) => match[0]);
    for (const type of mentioned) expect(types).toContain(type);
  });

  it('gives answers as it documents them, on every route, with no field too many', async () => {
    const waiting = await created(shop, 'documented', {
      customerId: 'c',
      description: 'd',
      email: 'a@shop.example',
      returnUrl: 'https://shop.example',
      metadata: { a: 'b' },
    });
    for (const amount of ['5', '2']) await credited(shop, 'documented', amount);
    const paid = await created(shop, 'documented-paid');
    await payAll(shop, paid.trackId);
    await until(async () => (await shop.api('GET', `/v1/payments/${paid.id}`)).body.fulfillable);
    const over = await created(shop, 'documented-over');
    await shop.control(`/_sandbox/payments/${over.trackId}/transfers`, { percent: 130, confirmations: 30 });
    const position = await until(async () => {
      const { body } = await shop.api('GET', `/v1/payments/${over.id}`);
      return body.review !== null && String(body.position);
    });
    const decision = { decision: 'accept', actor: 'support@shop.example', note: 'a tip' };
    const refund = { amount: '1', address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON', reason: 'returned' };
    const toRevoke = { customerId: 'documented', network: 'BSC' };
    const address = (await shop.api('POST', '/v1/deposit-addresses', toRevoke)).body.id as string;
    const missing = '0190a6b2-0000-7000-8000-000000000000';
    const endpoint = await shop.api('POST', '/v1/webhook-endpoints', { url: 'http://127.0.0.1:9/x' });
    const at = `/v1/webhook-endpoints/${String(endpoint.body.id)}`;
    const link = await shop.api('POST', '/v1/payment-links', { currency: 'USD', description: 'd', singleUse: true });
    const linkAt = `/v1/payment-links/${String(link.body.id)}`;
    const given = { endpointId: endpoint.body.id as string, attempts: [null, 500] };
    const delivery = await addDelivery(shop, { ...given, status: 'dead' });
    const calls: [string, string, string, unknown?][] = [
      ['POST', '/v1/payments', '/v1/payments', order('documented-new')],
      ['POST', '/v1/payments', '/v1/payments', order('documented', { amount: '1.00' })],
      ['POST', '/v1/payments', '/v1/payments', {}],
      ['GET', '/v1/payments', `/v1/payments?minPosition=${position}`],
      ['GET', '/v1/payments', '/v1/payments?limit=0'],
      ['GET', '/v1/payments/{id}', `/v1/payments/${waiting.id}`],
      ['GET', '/v1/payments/{id}', `/v1/payments/${paid.id}`],
      ['GET', '/v1/payments/{id}', `/v1/payments/${over.id}`],
      ['GET', '/v1/payments/{id}', `/v1/payments/${missing}`],
      ['GET', '/v1/payments/{id}/events', `/v1/payments/${paid.id}/events`],
      ['GET', '/v1/payments/{id}/explanation', `/v1/payments/${waiting.id}/explanation`],
      ['GET', '/v1/payments/{id}/explanation', `/v1/payments/${paid.id}/explanation`],
      ['GET', '/v1/payments/{id}/receipt', `/v1/payments/${paid.id}/receipt`],
      ['GET', '/v1/payments/{id}/receipt', `/v1/payments/${missing}/receipt`],
      ['POST', '/v1/payments/{id}/reconcile', `/v1/payments/${waiting.id}/reconcile`],
      ['POST', '/v1/payments/{id}/cancel', `/v1/payments/${waiting.id}/cancel`],
      ['POST', '/v1/payments/{id}/cancel', `/v1/payments/${paid.id}/cancel`],
      ['POST', '/v1/payments/{id}/fulfillment', `/v1/payments/${paid.id}/fulfillment`, { outcome: 'fulfilled' }],
      ['POST', '/v1/payments/{id}/review', `/v1/payments/${over.id}/review`, decision],
      ['POST', '/v1/payments/{id}/review', `/v1/payments/${over.id}/review`, decision],
      ['POST', '/v1/payments/{id}/refunds', `/v1/payments/${paid.id}/refunds`, refund],
      ['POST', '/v1/payments/{id}/refunds', `/v1/payments/${paid.id}/refunds`, { ...refund, amount: '1000' }],
      ['POST', '/v1/payments/{id}/refunds', `/v1/payments/${waiting.id}/refunds`, { reason: 'no address' }],
      ['POST', '/v1/deposit-addresses', '/v1/deposit-addresses', { customerId: 'documented', network: 'TRON' }],
      ['POST', '/v1/deposit-addresses', '/v1/deposit-addresses', { customerId: 'documented', network: 'TRON' }],
      ['POST', '/v1/deposit-addresses', '/v1/deposit-addresses', { customerId: 'documented' }],
      ['GET', '/v1/deposit-addresses', '/v1/deposit-addresses'],
      ['GET', '/v1/deposit-addresses', '/v1/deposit-addresses?status=none'],
      ['GET', '/v1/deposit-addresses/{id}', `/v1/deposit-addresses/${address}`],
      ['GET', '/v1/deposit-addresses/{id}', `/v1/deposit-addresses/${missing}`],
      ['DELETE', '/v1/deposit-addresses/{id}', `/v1/deposit-addresses/${address}`],
      ['DELETE', '/v1/deposit-addresses/{id}', `/v1/deposit-addresses/${missing}`],
      ['GET', '/v1/orders', `/v1/orders?minPosition=${position}`],
      ['GET', '/v1/orders/{orderId}', '/v1/orders/documented-over'],
      ['GET', '/v1/orders/{orderId}', '/v1/orders/nothing'],
      ['PUT', '/v1/policies/{name}', '/v1/policies/documented', {}],
      ['PUT', '/v1/policies/{name}', '/v1/policies/documented', { paidWhen: { rule: 'confirmations', count: 2 } }],
      ['PUT', '/v1/policies/{name}', '/v1/policies/documented', { surprise: 1 }],
      ['GET', '/v1/policies/{name}', '/v1/policies/documented'],
      ['GET', '/v1/policies/{name}', '/v1/policies/default'],
      ['GET', '/v1/policies/{name}', '/v1/policies/nothing'],
      ['POST', '/v1/policies/{name}/simulations', '/v1/policies/default/simulations', { policy: {} }],
      ['POST', '/v1/policies/{name}/simulations', '/v1/policies/none/simulations', { policy: {} }],
      ['GET', '/v1/policies', '/v1/policies'],
      ['GET', '/v1/policies', '/v1/policies?cursor=x'],
      ['GET', '/v1/customers/{customerId}/balance', '/v1/customers/documented/balance'],
      ['GET', '/v1/customers/{customerId}/balance', `/v1/customers/${'x'.repeat(129)}/balance`],
      ['GET', '/v1/customers/{customerId}/ledger', '/v1/customers/documented/ledger?limit=1'],
      ['GET', '/v1/customers/{customerId}/ledger', '/v1/customers/documented/ledger?currency=usd'],
      ['GET', '/v1/customers/{customerId}/ledger', '/v1/customers/documented/ledger?cursor=x'],
      ['GET', '/v1/events', '/v1/events'],
      ['GET', '/v1/events', '/v1/events?after=x'],
      [
        'POST',
        '/v1/webhook-endpoints',
        '/v1/webhook-endpoints',
        { url: 'http://127.0.0.1:9/y', events: ['payment.paid'] },
      ],
      ['GET', '/v1/webhook-endpoints', '/v1/webhook-endpoints'],
      ['POST', '/v1/webhook-endpoints', '/v1/webhook-endpoints', { url: 'nonsense' }],
      ['GET', '/v1/webhook-endpoints/{id}', at],
      ['GET', '/v1/webhook-endpoints/{id}', `/v1/webhook-endpoints/${missing}`],
      ['PATCH', '/v1/webhook-endpoints/{id}', at, { events: ['payment.paid'], enabled: false }],
      ['PATCH', '/v1/webhook-endpoints/{id}', at, { enabled: 'yes' }],
      ['PATCH', '/v1/webhook-endpoints/{id}', at, { events: null, enabled: true }],
      ['POST', '/v1/webhook-endpoints/{id}/rotate-secret', `${at}/rotate-secret`],
      ['GET', '/v1/webhook-endpoints/{id}', at],
      ['GET', '/v1/webhook-deliveries', '/v1/webhook-deliveries?status=dead'],
      ['GET', '/v1/webhook-deliveries', '/v1/webhook-deliveries?status=lost'],
      ['GET', '/v1/webhook-deliveries', '/v1/webhook-deliveries?cursor=x'],
      ['GET', '/v1/webhook-deliveries/{id}', `/v1/webhook-deliveries/${delivery}`],
      ['GET', '/v1/webhook-deliveries/{id}', `/v1/webhook-deliveries/${missing}`],
      ['POST', '/v1/webhook-deliveries/redeliver', '/v1/webhook-deliveries/redeliver', { deliveryIds: [delivery] }],
      ['POST', '/v1/webhook-deliveries/redeliver', '/v1/webhook-deliveries/redeliver', { deliveryIds: [missing] }],
      ['POST', '/v1/webhook-deliveries/redeliver', '/v1/webhook-deliveries/redeliver', {}],
      ['GET', '/v1/webhook-deliveries', '/v1/webhook-deliveries'],
      ['DELETE', '/v1/webhook-endpoints/{id}', at],
      ['POST', '/v1/payment-links', '/v1/payment-links', { amount: '5', currency: 'EUR', description: 'd' }],
      ['POST', '/v1/payment-links', '/v1/payment-links', { currency: 'eur', description: 'd' }],
      ['GET', '/v1/payment-links', '/v1/payment-links?limit=1'],
      ['GET', '/v1/payment-links', '/v1/payment-links?cursor=x'],
      ['GET', '/v1/payment-links/{id}', linkAt],
      ['GET', '/v1/payment-links/{id}', `/v1/payment-links/${missing}`],
      ['DELETE', '/v1/payment-links/{id}', linkAt],
      ['DELETE', '/v1/payment-links/{id}', `/v1/payment-links/${missing}`],
    ];
    const checked = new Set<string>();
    for (const [method, template, path, body] of calls) {
      const route = `${method} ${template}`;
      const answer = await shop.api(method, path, body);
      const documented = operations.find((one) => one.route === route)?.operation.responses[String(answer.status)];
      expect([path, answer.status, documented !== undefined]).toEqual([path, answer.status, true]);
      const schema = answerSchema(route, answer.status);
      expect([
        path,
        schema
          ? faults(answer.body, schema, '').filter(
              (fault) => answer.status < 400 || !fault.endsWith('is not documented'),
            )
          : answer.body,
      ]).toEqual([path, schema ? [] : '']);
      if (answer.status >= 400)
        expect([route, problems.get(`${route} ${String(answer.body.type)}`)]).toEqual([route, answer.status]);
      if (answer.status < 400) checked.add(route);
    }
    expect([...checked].sort()).toEqual(
      operations
        .map(({ route }) => route)
        .filter((route) => !route.includes('/callbacks/'))
        .sort(),
    );
  });

  it('documents exactly the body that a create takes: its examples are accepted, and so is each field alone', async () => {
    for (const path of ['/v1/payments', '/v1/payment-links', '/v1/webhook-endpoints']) {
      const schema = resolve(document.paths[path]?.['post']?.requestBody?.content?.['application/json']?.schema ?? {});
      const examples = Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .map(([name, property]) => [name, exampleOf(property)])
          .filter(([, value]) => value !== undefined),
      );
      for (const name of schema.required ?? []) expect(Object.keys(examples)).toContain(name);
      const answer = await shop.api('POST', path, examples);
      expect([path, answer.status, answer.body.errors]).toEqual([path, 201, undefined]);
    }
  });

  it('gives for every body examples that the service can read, and a create whose example makes a payment', async () => {
    const payment = await created(shop, 'with-examples');
    const endpoint = await shop.api('POST', '/v1/webhook-endpoints', { url: 'http://127.0.0.1:9/z' });
    let tried = 0;
    for (const { route, path, operation } of operations.filter((one) => one.operation.requestBody !== undefined)) {
      const examples = Object.entries(operation.requestBody?.content?.['application/json']?.examples ?? {});
      expect([route, examples.length > 0 ? '' : 'give its @ApiBody examples, in src/api/body-examples.ts']).toEqual([
        route,
        '',
      ]);
      const at = path
        .replace('webhook-endpoints/{id}', `webhook-endpoints/${String(endpoint.body.id)}`)
        .replace('{id}', payment.id)
        .replace('{name}', 'default');
      for (const [name, { value }] of examples) {
        const body = { ...value, ...('orderId' in value && { orderId: `example-${name}` }) };
        const answer = await shop.api(route.slice(0, route.indexOf(' ')), at, body);
        // 409: what it names is not in the state for it.
        expect([route, name, answer.status < 300 || answer.status === 409 || answer.body]).toEqual([route, name, true]);
        if (route === 'POST /v1/payments') expect([name, answer.status]).toEqual([name, 201]);
        tried += 1;
      }
    }
    expect(tried).toBeGreaterThan(10);
  });

  it('shows the header Idempotency-Key with examples that the service takes', async () => {
    const header = operations
      .find(({ route }) => route === 'POST /v1/payments')
      ?.operation.parameters?.find(({ name }) => name === 'Idempotency-Key');
    const keys = Object.values(header?.examples ?? {}).map(({ value }) => value);
    expect(keys.length).toBeGreaterThan(1);
    for (const [n, key] of keys.filter((one) => one !== '').entries()) {
      const again = () => shop.api('POST', '/v1/payments', order(`keyed-${String(n)}`), { 'idempotency-key': key });
      expect((await again()).status).toBe(201);
      expect((await again()).headers.get('idempotency-replayed')).toBe('true');
    }
  });

  it('gives examples of policies that the service takes', async () => {
    const { content } = document.paths['/v1/policies/{name}']?.['put']?.requestBody ?? {};
    const examples = Object.entries(content?.['application/json']?.examples ?? {});
    expect(examples.length).toBeGreaterThan(1);
    for (const [name, { value }] of examples) {
      const answer = await shop.api('PUT', `/v1/policies/example-${name}`, value);
      expect([name, answer.status, answer.body.errors]).toEqual([name, 201, undefined]);
      expect(answer.body).toMatchObject(value);
    }
  });

  it('documents the rules of policies in words that the service takes', async () => {
    const schema = resolve({ $ref: '#/components/schemas/PolicyRequest' });
    let tried = 0;
    for (const [clause, property] of Object.entries(schema.properties ?? {})) {
      const fields = Object.entries(membersOf(property).properties ?? {});
      const [choice, words = []] =
        fields.map(([name, field]) => [name, field.enum] as const).find(([, values]) => values) ?? [];
      for (const word of words) {
        const others = Object.fromEntries(
          fields.filter(([name]) => name !== choice && name !== 'count').map(([name, field]) => [name, field.example]),
        );
        const policy = {
          [clause]: { ...others, [choice ?? '']: word, ...(word === 'confirmations' ? { count: 3 } : {}) },
        };
        const answer = await shop.api('POST', '/v1/payments', order(`policy-${String(++tried)}`, { policy }));
        expect([policy, answer.status]).toEqual([policy, 201]);
        expect(answer.body.policy.rules[clause]).toEqual(policy[clause]);
      }
    }
    expect(tried).toBe(14);
  });

  it('is shown at /docs as a page', async () => {
    const page = await send(shop.url, { method: 'GET', path: '/docs', headers: { authorization: undefined } });
    expect([page.status, String(page.headers['content-type'])]).toEqual([200, expect.stringContaining('text/html')]);
    expect(page.text).toContain('Finality API');
    expect(document.servers).toEqual([{ url: '/', description: 'This service' }]);
  });

  const membersOf = (schema: Schema): Schema => resolve(schema.allOf?.[0] ?? schema);
  const exampleOf = (schema: Schema): unknown =>
    schema.example ?? schema.oneOf?.map(exampleOf).find((value) => value !== undefined);
});
