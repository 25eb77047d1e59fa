import { expect } from '@jest/globals';
import { connect, type Socket } from 'node:net';
import type { Pool } from 'pg';
import { until, type TestService } from '../support/service.js';

/** A payment that is open at the gateway and waits for money. */
export interface OpenPayment {
  id: string;
  trackId: string;
  amount: string;
  currency: string;
}

let orders = 0;

/** Asks the service for a payment; resolves when its invoice is recorded and its first look at the gateway is planned. */
export async function openPayment(
  shop: TestService,
  terms: { amount?: string; currency?: string } = {},
): Promise<OpenPayment> {
  const { amount = '10.50', currency = 'USD' } = terms;
  const answer = await shop.api('POST', '/v1/payments', {
    orderId: `order-${String(++orders)}-${String(process.hrtime.bigint())}`,
    amount,
    currency,
  });
  expect(answer.status).toBe(201);
  const { id, trackId } = answer.body as { id: string; trackId: string };
  await until(async () => {
    // A minute from the opening; before that it is half a minute from the request. Where more has happened, it is moot.
    const { rows } = await shop.database.pool.query(
      `select from look where stream_id = $1 and due_at > now() + interval '45 seconds'
       union all select from event where stream_id = $1 and version > 2`,
      [id],
    );
    return rows.length > 0;
  }, 15_000);
  return { id, trackId, amount, currency };
}

let transactions = 0;

/** A transfer as a callback lists it: 10.5 USDT, confirmed, never seen before. */
export const tx = (changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  status: 'confirmed',
  tx_hash: `0x${String(++transactions).padStart(16, '0')}`,
  sent_amount: 10.5,
  received_amount: 10.45,
  value: 10.5,
  sent_value: 10.5,
  currency: 'USDT',
  network: 'Tron Network',
  sender_address: 'TSenderNotForUse',
  address: 'TAddressNotForUse',
  rate: 1,
  confirmations: 20,
  auto_convert_amount: 0,
  auto_convert_currency: 'USDT',
  date: Math.floor(Date.now() / 1000),
  ...changes,
});

/** What the gateway says of a payment, in the documented shape: paid in full unless told otherwise; undefined leaves a member out. */
export const claim = (
  payment: Pick<OpenPayment, 'id' | 'trackId'>,
  changes: Record<string, unknown> = {},
): Record<string, unknown> => ({
  track_id: payment.trackId,
  status: 'Paid',
  type: 'invoice',
  module_name: 'Shop',
  amount: 10.5,
  value: 10.5,
  sent_value: 10.5,
  currency: 'USD',
  order_id: payment.id,
  email: '',
  note: '',
  fee_paid_by_payer: 0,
  under_paid_coverage: 0,
  description: '',
  date: Math.floor(Date.now() / 1000),
  txs: [tx()],
  ...changes,
});

/** A callback's body. */
export const said = (payment: Pick<OpenPayment, 'id' | 'trackId'>, changes: Record<string, unknown> = {}): string =>
  JSON.stringify(claim(payment, changes));

/** The same with the text of one JSON value in a member's place, for what JavaScript cannot write. */
export const saidWith = (payment: OpenPayment, member: string, literal: string): string =>
  said(payment, { [member]: '@@' }).replace('"@@"', () => literal);

/** The gateway's answer to a question about a payment. */
export const answerFor = (payment: OpenPayment, changes: Record<string, unknown> = {}): Record<string, unknown> => ({
  ...claim(payment),
  status: 'paid',
  expired_at: Math.floor(Date.now() / 1000) + 3600,
  mixed_payment: true,
  txs: [{ ...tx(), amount: 10.5 }],
  ...changes,
});

/** What is stored of these exact bytes. */
export async function kept(
  pool: Pool,
  body: string | Buffer,
): Promise<{ status: string; reason: string | null; receipts: number }[]> {
  const { rows } = await pool.query<{ status: string; reason: string | null; receipts: number }>(
    'select status, reason, receipts from inbox where body = $1 order by received_at, id',
    [Buffer.from(body)],
  );
  return rows;
}

/** The facts of one payment so far, by name; without what the gateway, asked meanwhile, may not confirm yet. */
export async function story(pool: Pool, id: string): Promise<string[]> {
  const text = `select type from event where stream_id = $1 and type <> 'CorroborationDelayed' order by version`;
  const { rows } = await pool.query<{ type: string }>(text, [id]);
  return rows.map((row) => row.type);
}

/** How much is stored in all: callbacks that are to leave nothing behind are held against it. */
export async function stored(pool: Pool): Promise<{ events: number; messages: number; keys: number }> {
  const { rows } = await pool.query<{ events: number; messages: number; keys: number }>(
    `select (select count(*) from event where type <> 'CorroborationDelayed') as events, (select count(*) from inbox where source like 'callback:%') as messages,
       (select count(*) from stream_key) as keys`,
  );
  return rows[0] ?? { events: 0, messages: 0, keys: 0 };
}

/** The answer that tells the gateway to send no more. */
export const acknowledged = { status: 200, text: 'ok', type: 'text/plain' };

/** The facts of a payment that nobody has said anything about yet. */
export const untouched = ['PaymentRequested', 'InvoiceOpened'];

/** Sends a good callback and holds the answer, the evidence and the payment's facts against what they are to be. */
export async function expectSetAside(
  shop: TestService,
  payment: OpenPayment,
  body: string | Buffer,
  reason: string,
): Promise<void> {
  const before = await stored(shop.database.pool);
  expect([body.toString().slice(0, 400), await shop.callback(body)]).toEqual([
    body.toString().slice(0, 400),
    acknowledged,
  ]);
  expect(await kept(shop.database.pool, body)).toEqual([{ status: 'quarantined', reason, receipts: 1 }]);
  expect(await stored(shop.database.pool)).toEqual({ ...before, messages: before.messages + 1 });
  expect(await story(shop.database.pool, payment.id)).toEqual(untouched);
}

/** An HTTP exchange over a bare socket, for what no client would send. */
export interface Wire {
  socket: Socket;
  /** All that has come back so far. */
  text(): string;
  /** Resolves when the first answer's head is there, or the connection has ended. */
  answered: Promise<void>;
  closed: Promise<void>;
}

export function wire(port: number): Wire {
  let text = '';
  const socket = connect({ host: '127.0.0.1', port });
  socket.setEncoding('latin1');
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) =>
    socket.once('close', () => {
      resolve();
    }),
  );
  const answered = new Promise<void>((resolve) => {
    socket.on('data', (part) => {
      text += part.toString();
      if (text.includes('\r\n\r\n')) resolve();
    });
    void closed.then(resolve);
  });
  return { socket, text: () => text, answered, closed };
}

/** The status of the answer to these bytes, which are all that is sent. */
export async function statusOf(port: number, bytes: string | Buffer): Promise<number> {
  const { socket, text, answered } = wire(port);
  socket.write(bytes);
  await answered;
  socket.destroy();
  return Number(/^HTTP\/1\.1 (\d{3}) /.exec(text())?.[1] ?? 0);
}

export const path = '/v1/callbacks/oxapay/default';

/** The head of a callback's request, with a good signature where one is given. */
export const head = (headers: Record<string, string>, method = 'POST', target = path): string =>
  `${method} ${target} HTTP/1.1\r\nHost: shop.example\r\n${Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;
