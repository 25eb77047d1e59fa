import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { instantFromMs, msOf } from '../../src/kernel/clock.js';
import { Ids } from '../../src/kernel/ids.js';
import type { JsonObject } from '../../src/kernel/json.js';
import { trackKeyScope } from '../../src/payments/gateway-event.handlers.js';
import type { PaymentEvent } from '../../src/payments/payment.js';
import { orderScope } from '../../src/payments/payment-streams.pg.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { terms } from '../payments/given.js';
import type { TestService } from '../support/service.js';

/** A payment as the gateway tells of it. */
export interface HistoryRow {
  trackId: string;
  orderId: string;
  status: string;
  createdMs: number;
  lifetimeMinutes: number;
  txs: object[];
}

/** A gateway that knows many payments, pages through them by number as OxaPay does, and counts what it is asked. */
export class GatewayHistory {
  readonly rows: HistoryRow[] = [];
  /** Every path that was asked for, in order. */
  readonly asked: string[] = [];
  /** Runs before each page of the history is cut: the rows may change between two pages. */
  beforePage: (page: number) => void = () => undefined;
  /** What it answers instead of the truth, while set. */
  outage: { status: number; body: string } | null = null;
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      request.resume().on('end', () => {
        this.asked.push(request.url ?? '');
        const { status, body } = this.outage ?? {
          status: 200,
          body: this.answer(new URL(request.url ?? '', 'http://x')),
        };
        response.writeHead(status, { 'content-type': 'application/json' }).end(body);
      });
    });
  }

  static async open(): Promise<GatewayHistory> {
    const history = new GatewayHistory();
    await new Promise<void>((resolve) => history.server.listen(0, '127.0.0.1', resolve));
    return history;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get pagesAsked(): string[] {
    return this.asked.filter((path) => path.startsWith('/v1/payment?'));
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private answer({ pathname, searchParams }: URL): string {
    const trackId = /^\/v1\/payment\/(\w+)$/.exec(pathname)?.[1];
    if (trackId !== undefined) {
      const row = this.rows.find((each) => each.trackId === trackId);
      return row ? envelope(200, payment(row)) : envelope(404, null);
    }
    if (pathname === '/v1/common/prices') return envelope(200, { USDT: 1, BTC: 60_000 });
    if (pathname !== '/v1/payment') return envelope(404, null);
    const number = (name: string): number => parseInt(searchParams.get(name) ?? '', 10);
    const page = number('page');
    const size = number('size');
    this.beforePage(page);
    const found = this.rows
      .filter(({ createdMs }) => createdMs / 1000 >= number('from_date') && createdMs / 1000 <= number('to_date'))
      .sort((a, b) => a.createdMs - b.createdMs || (a.trackId < b.trackId ? -1 : 1));
    const list = found.slice((page - 1) * size, page * size).map(payment);
    const meta = { page, last_page: Math.max(1, Math.ceil(found.length / size)), total: found.length };
    return envelope(200, { list, meta });
  }
}

const envelope = (status: number, data: unknown): string =>
  JSON.stringify({ data: data ?? {}, message: 'as asked', error: {}, status, version: '1.0.0' });

const payment = ({ trackId, orderId, status, createdMs, lifetimeMinutes, txs }: HistoryRow): object => ({
  track_id: trackId,
  type: 'invoice',
  amount: 10,
  currency: 'USD',
  status,
  mixed_payment: true,
  fee_paid_by_payer: 0,
  under_paid_coverage: 0,
  lifetime: lifetimeMinutes,
  order_id: orderId,
  expired_at: Math.floor(createdMs / 1000) + lifetimeMinutes * 60,
  date: Math.floor(createdMs / 1000),
  txs,
});

/** A confirmed transfer of so many USDT. */
export const transferOf = (amount: number, atMs: number, hash: string): object => ({
  tx_hash: hash,
  amount,
  currency: 'USDT',
  network: 'Tron Network',
  address: 'TAddress',
  status: 'confirmed',
  confirmations: 30,
  auto_convert: { processed: false, amount: 0, currency: null },
  auto_withdrawal: { processed: false },
  date: Math.floor(atMs / 1000),
});

/** Begins payments at the same time, as `created` or with their invoice open, and has the gateway know them. */
export async function begin(
  shop: TestService,
  gateway: GatewayHistory,
  count: number,
  { opened = true } = {},
): Promise<string[]> {
  const store = shop.service.app.get(EventStore);
  const ids = shop.service.app.get(Ids);
  const application = await shop.database.pool.query<{ id: string }>('select id from application');
  const applicationId = application.rows[0]?.id ?? '';
  const begunMs = msOf(shop.clock.now());
  const begin = async (n: number): Promise<string> => {
    const id = ids.next();
    const createdMs = begunMs + n;
    const trackId = String(100_000_000 + gateway.rows.length);
    gateway.rows.push({ trackId, orderId: id, status: 'waiting', createdMs, lifetimeMinutes: 60, txs: [] });
    const at = instantFromMs(createdMs);
    const orderId = `order-${trackId}`;
    const agreed = terms({}, { id, applicationId, orderId, amount: '10', requestedAt: at });
    const events: PaymentEvent[] = [{ type: 'PaymentRequested', data: agreed }];
    const expiresAt = instantFromMs(createdMs + 3_600_000);
    const invoice = { trackId, paymentUrl: `https://pay.example/1/${trackId}`, expiresAt, adopted: false, at };
    if (opened) events.push({ type: 'InvoiceOpened', data: invoice });
    await store.append({
      streamId: id,
      head: { version: 0, hash: null },
      events: events.map(({ type, data }) => ({
        id: ids.next(),
        type,
        schemaVersion: 1,
        data: data as unknown as JsonObject,
      })),
      keys: [
        { scope: orderScope(applicationId), key: orderId },
        ...(opened ? [{ scope: trackKeyScope, key: trackId }] : []),
      ],
      metadata: { tenant: applicationId, actor: 'test', correlationId: id, causationId: id, recordedAt: at },
    });
    return id;
  };
  const all: string[] = [];
  for (let at = 0; at < count; at += 250)
    all.push(...(await Promise.all(Array.from({ length: Math.min(250, count - at) }, (_, n) => begin(at + n)))));
  return all;
}

/** How many payments have each status, as lists tell it. */
export const statusesOf = async (shop: TestService): Promise<Record<string, number>> => {
  const { rows } = await shop.database.pool.query<{ status: string; n: number }>(
    'select status, count(*)::int as n from payment_view group by 1',
  );
  return Object.fromEntries(rows.map(({ status, n }) => [status, n]));
};
