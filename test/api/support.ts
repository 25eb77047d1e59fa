import { randomUUID } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import { expect } from '@jest/globals';
import { addCredit } from '../../src/customers/credit.js';
import { CreditAccounts } from '../../src/customers/credit-streams.pg.js';
import { Ids } from '../../src/kernel/ids.js';
import { refusals, type RefusalCode } from '../../src/kernel/refusal.js';
import { Applications } from '../../src/platform/http/applications.pg.js';
import { problemType } from '../../src/platform/http/problem.js';
import type { TestDatabase } from '../support/database.js';
import { apiKey, merchantKey, type TestService } from '../support/service.js';

export const otherKey = 'another-application-with-a-key-of-its-own-0123';

/** A second calling service. */
export const addOther = (shop: TestService) => shop.service.app.get(Applications).ensure('other', otherKey, 'test');

export const asOther = { authorization: `Bearer ${otherKey}` };

/** A body that is good enough for a payment. */
export const order = (orderId: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  orderId,
  amount: '49.90',
  currency: 'USD',
  ...more,
});

export interface RawAnswer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  body: any;
}

/** Sends a request as it is given: any path, any header, any bytes. */
export function send(
  url: string,
  {
    method = 'POST',
    path = '/v1/payments',
    headers = {},
    body,
  }: { method?: string; path?: string; headers?: Record<string, string | undefined>; body?: string | Buffer },
): Promise<RawAnswer> {
  const defaults = {
    authorization: `Bearer ${apiKey}`,
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const all = Object.fromEntries(
    Object.entries({ ...defaults, ...headers }).filter(([, value]) => value !== undefined),
  ) as Record<string, string>;
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: hostname, port, method, path, headers: all, agent: false }, (answer) => {
      const parts: Buffer[] = [];
      answer.on('data', (part: Buffer) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const json = /json/.test(answer.headers['content-type'] ?? '') && text !== '';
        resolve({
          status: answer.statusCode ?? 0,
          headers: answer.headers,
          text,
          body: json ? JSON.parse(text) : text,
        });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

interface AnyAnswer {
  status: number;
  headers: Headers | RawAnswer['headers'];
  body: unknown;
}

export const headerOf = ({ headers }: Pick<AnyAnswer, 'headers'>, name: string): string | null => {
  const value = headers instanceof Headers ? headers.get(name) : headers[name];
  return typeof value === 'string' ? value : null;
};

/** A problem document of this code, as RFC 9457 has it, that says nothing of the inside. */
export function expectProblem(answer: AnyAnswer, code: RefusalCode, pointers?: string[]): void {
  expect(answer.body).toMatchObject({
    type: problemType(code),
    title: refusals[code].title,
    status: refusals[code].status,
  });
  expect(answer.status).toBe(refusals[code].status);
  expect(headerOf(answer, 'content-type')).toMatch(/^application\/problem\+json(;|$)/);
  const { detail, errors } = answer.body as { detail: unknown; errors?: { pointer: string; detail: string }[] };
  expect(typeof detail).toBe('string');
  expect(JSON.stringify(answer.body)).not.toMatch(
    /\.[jt]s\b|node_modules|\n\s+at |select |insert into|syntax error at|TypeError/i,
  );
  if (pointers) expect([...new Set((errors ?? []).map((error) => error.pointer))].sort()).toEqual([...pointers].sort());
}

export interface Rows {
  events: number;
  keys: number;
  idempotency: number;
}

/** How many rows there are of what a create writes. */
export async function rowsOf({ pool }: TestDatabase): Promise<Rows> {
  const { rows } = await pool.query<{ events: string; keys: string; idempotency: string }>(
    'select (select count(*) from event) as events, (select count(*) from stream_key) as keys, (select count(*) from idempotency_key) as idempotency',
  );
  const [row] = rows;
  return { events: Number(row?.events), keys: Number(row?.keys), idempotency: Number(row?.idempotency) };
}

/** Requests that a payment was created by: one row each. */
export async function paymentsOf({ pool }: TestDatabase): Promise<string[]> {
  const { rows } = await pool.query<{ stream_id: string }>(
    "select stream_id from event where type = 'PaymentRequested' order by position",
  );
  return rows.map((row) => row.stream_id);
}

/** Track ids of the invoices that the sandbox gateway holds for a payment. */
export async function invoicesOf(shop: TestService, paymentId: string): Promise<string[]> {
  const answer = await fetch(`${shop.sandboxUrl}/v1/payment?size=200`, { headers: { merchant_api_key: merchantKey } });
  const { data } = (await answer.json()) as { data: { list: { track_id: string; order_id: string }[] } };
  return data.list.filter((invoice) => invoice.order_id === paymentId).map((invoice) => invoice.track_id);
}

/** Creates a payment and answers it; fails where it is not 201. */
export async function created(
  shop: TestService,
  orderId: string,
  more: Record<string, unknown> = {},
  headers: Record<string, string> = {},
) {
  const answer = await shop.api('POST', '/v1/payments', order(orderId, more), headers);
  expect(answer.status).toBe(201);
  return answer.body as {
    id: string;
    trackId: string;
    position: number;
    statusUrl: string;
    version: number;
    createdAt: string;
  };
}

/** Adds to what a customer has to their credit, with the application `default` unless told otherwise. */
export async function credited(
  shop: TestService,
  customerId: string,
  amount: string,
  {
    currency = 'USD',
    key = apiKey,
    paymentId = randomUUID() as string,
  }: { currency?: string; key?: string; paymentId?: string } = {},
): Promise<{ applicationId: string; paymentId: string }> {
  const applicationId = (await shop.service.app.get(Applications).byKey(key))?.id ?? '';
  const source = randomUUID();
  const cause = { actor: 'service', correlationId: source, causationId: source };
  const addition = { customerId, currency, source, paymentId, amount, reason: 'overpayment' };
  await shop.service.app
    .get(CreditAccounts)
    .decide({ applicationId, customerId, currency }, cause, (account) =>
      addCredit(account, addition, shop.clock.now()),
    );
  return { applicationId, paymentId };
}

export interface GivenDelivery {
  endpointId: string;
  /** Of one that nothing else is known of, unless given. */
  paymentId?: string;
  /** Of the application; `default` unless told otherwise. */
  key?: string;
  sequence?: number;
  type?: string;
  status?: 'waiting' | 'delivered' | 'dead' | 'cancelled';
  /** For one that waits; null behind another. */
  dueAt?: string | null;
  createdAt?: string;
  /** How each attempt so far ended: an HTTP status, or null for none. */
  attempts?: readonly (number | null)[];
}

/** A webhook and its delivery, as the service leaves them; returns the id of the delivery. */
export async function addDelivery(shop: TestService, given: GivenDelivery): Promise<string> {
  const ids = shop.service.app.get(Ids);
  const { endpointId, paymentId = ids.next(), key = apiKey, type = 'payment.late', status = 'delivered' } = given;
  const { createdAt = shop.clock.now(), attempts = [], dueAt = status === 'waiting' ? createdAt : null } = given;
  const { pool } = shop.database;
  const applicationId = (await shop.service.app.get(Applications).byKey(key))?.id ?? '';
  const { rows } = await pool.query<{ next: number }>(
    'select coalesce(max(sequence), 0) + 1 as next from webhook where payment_id = $1',
    [paymentId],
  );
  const sequence = given.sequence ?? rows[0]?.next ?? 1;
  const id = ids.next();
  const webhookId = randomUUID();
  await pool.query(
    `insert into webhook (id, application_id, payment_id, sequence, type, body, correlation_id, created_at)
     values ($1, $2, $3, $4, $5, '{}', $1, $6)`,
    [webhookId, applicationId, paymentId, sequence, type, createdAt],
  );
  await pool.query(
    `insert into webhook_delivery (id, webhook_id, endpoint_id, application_id, payment_id, sequence, type, status, due_at,
       attempts, round_attempts, round_began_at, created_at, ended_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11, $11, $12)`,
    [
      id,
      webhookId,
      endpointId,
      applicationId,
      paymentId,
      sequence,
      type,
      status,
      dueAt,
      attempts.length,
      createdAt,
    ].concat(status === 'waiting' ? [null] : [createdAt]),
  );
  for (const [at, answered] of attempts.entries())
    await pool.query(
      `insert into webhook_attempt (message_id, endpoint_id, attempt, application_id, payment_id, type, attempted_at,
         duration_ms, status, outcome, answer)
       values ($1, $2, $3, $4, $5, $6, $7, 12, $8, $9, $10)`,
      [webhookId, endpointId, at + 1, applicationId, paymentId, type, createdAt, answered].concat(
        answered === null ? ['timeout', null] : [answered < 300 ? 'success' : 'http_5xx', 'an answer'],
      ),
    );
  return id;
}

/** Pays in full and confirms, at the sandbox gateway. */
export async function payAll(shop: TestService, trackId: string): Promise<void> {
  await shop.control(`/_sandbox/payments/${trackId}/transfers`, { percent: 100 });
  await shop.control(`/_sandbox/payments/${trackId}/confirmations`, { count: 30 });
}
