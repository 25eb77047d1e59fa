import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

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
