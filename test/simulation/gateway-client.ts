import { msOf, type Instant } from '../../src/kernel/clock.js';
import type { LosslessJson } from '../../src/kernel/json.js';
import { judge, readInvoice, readPaymentPage, type Verdict } from '../../src/gateway/answers.js';
import { saidIn } from '../../src/gateway/callback.js';
import { readCallback, readPayment } from '../../src/gateway/wire.js';
import {
  GatewayOutcomeUnknown,
  GatewayRefused,
  GatewayUnavailable,
  PaymentGateway,
  type CallbackSays,
  type CallbackSignature,
  type GatewayReport,
  type InvoiceRequest,
  type OpenedInvoice,
  type PayoutPage,
  type PayoutReport,
  type ReportPage,
} from '../../src/payments/payment-gateway.js';
import { jsonOf, prices, type Gateway, type Invoice } from './gateway.js';
import type { Life, World } from './world.js';

const pageSize = 2;
const html = Buffer.from('<html><body>502 Bad Gateway</body></html>');
const says = (data: unknown, status = 200): Buffer => Buffer.from(jsonOf({ data, message: '', error: {}, status }));

/** One process's way to the gateway: the wire and what goes wrong on it. What comes back goes through the real readers. */
export class GatewayClient extends PaymentGateway {
  constructor(
    private readonly world: World,
    private readonly gateway: Gateway,
    private readonly life: Life,
    /** Told that an answer about an invoice was not the plain truth. */
    private readonly misled: (invoice: Invoice) => void,
  ) {
    super();
  }

  override async openInvoice(request: InvoiceRequest): Promise<OpenedInvoice> {
    const { world, life } = this;
    await world.io(life, 'gateway.create.before', 20, 400);
    if (world.during('gateway.down')) throw new GatewayUnavailable('no connection');
    if (world.strikes('api.timeout_before')) throw new GatewayOutcomeUnknown('no answer in time');
    if (world.strikes('api.busy')) throw new GatewayUnavailable('busy', 5);
    const early = this.badAnswer();
    // A broken answer may come from before or behind what makes the invoice.
    const made = early !== null && world.rng('wire').chance(0.5) ? null : this.gateway.open(request);
    if (made) world.trace(request.orderId, `gateway opens ${made.trackId} for ${life.name}`);
    await world.io(life, 'gateway.create.effect', 20, 400);
    if (world.strikes('api.timeout_after')) throw new GatewayOutcomeUnknown('no answer in time');
    const body = made ? this.created(made) : html;
    const verdict = early ?? judge(200, body);
    await world.io(life, 'gateway.create.after');
    if (verdict.kind === 'ok') return readInvoice(verdict.data);
    if (verdict.kind === 'busy') throw new GatewayUnavailable('busy');
    if (verdict.kind === 'refused') throw new GatewayRefused(verdict.status, verdict.field, verdict.message);
    throw new GatewayOutcomeUnknown(verdict.reason);
  }

  override openAddress(): Promise<never> {
    throw new Error('the simulation has no deposit addresses');
  }

  override revokeAddress(): Promise<never> {
    return this.openAddress();
  }

  override hasAddress(): Promise<never> {
    return this.openAddress();
  }

  override paymentUrl(trackId: string): string {
    return urlOf(trackId);
  }

  override async findPayment(trackId: string): Promise<GatewayReport | null> {
    const { world, life } = this;
    const verdict = await this.ask('gateway.ask.before', () => {
      const invoice = this.gateway.find(trackId);
      if (!invoice || world.strikes('api.unknown_404')) {
        if (invoice) this.misled(invoice);
        return { status: 404, body: says({}, 404) };
      }
      const stale = world.strikes('api.stale') ? world.rng('wire').logarithmic(1000, 20 * 60_000) : 0;
      if (stale > 0) this.misled(invoice);
      const at = Math.max(invoice.createdAt, world.now - stale);
      return { status: 200, body: says(this.gateway.body(invoice, at, 'answer')) };
    });
    await world.io(life, 'gateway.ask.after');
    return verdict === null ? null : readPayment(verdict);
  }

  override async listPayments(query: { from: Instant; to: Instant; page: number }): Promise<ReportPage> {
    const { world, life, gateway } = this;
    const data = await this.ask('gateway.list.before', () => {
      const [from, to] = [this.virtual(query.from), this.virtual(query.to)];
      const all = gateway.invoices.filter(({ createdAt }) => createdAt >= from - 1000 && createdAt <= to + 1000);
      // Something has left the list since the page before this one was read, so that a row has moved over to that one.
      const shift = query.page > 1 && world.strikes('api.shifted_page') ? 1 : 0;
      const begin = (query.page - 1) * pageSize + shift;
      for (const invoice of all.slice(begin - shift, begin)) this.misled(invoice);
      const list = all.slice(begin, begin + pageSize).map((invoice) => gateway.body(invoice, world.now, 'answer'));
      const meta = { page: query.page, last_page: Math.max(1, Math.ceil(all.length / pageSize)), total: all.length };
      return { status: 200, body: says({ list, meta }) };
    });
    await world.io(life, 'gateway.list.after');
    if (data === null) throw new GatewayUnavailable('no list');
    return readPaymentPage(data);
  }

  override readCallback(body: Buffer): CallbackSays {
    return saidIn(readCallback(body));
  }

  override signatureOf(): CallbackSignature {
    return { signer: 'merchant', fits: true };
  }

  override acceptedCurrencies(): Promise<string[]> {
    return Promise.resolve(['USDT', 'TRX']);
  }

  override async prices(): Promise<ReadonlyMap<string, string>> {
    await this.ask('gateway.prices.before', () => ({ status: 200, body: says({}) }));
    return prices;
  }

  override sendPayout(): Promise<{ trackId: string }> {
    return Promise.reject(new GatewayUnavailable('no payouts here'));
  }

  override findPayout(): Promise<PayoutReport | null> {
    return Promise.resolve(null);
  }

  override listPayouts(): Promise<PayoutPage> {
    return Promise.resolve({ reports: [], unread: [], page: 1, lastPage: 1 });
  }

  private created(invoice: Invoice): Buffer {
    const { trackId, expiresAt } = invoice;
    const answer = { track_id: trackId, payment_url: urlOf(trackId), expired_at: this.gateway.seconds(expiresAt) };
    return says(answer);
  }

  private virtual(instant: Instant): number {
    return msOf(instant) - (this.world.ms() - this.world.now);
  }

  /** A question: null is the gateway's 404. Throws `GatewayUnavailable`. */
  private async ask(
    point: 'gateway.ask.before' | 'gateway.list.before' | 'gateway.prices.before',
    answer: () => { status: number; body: Buffer },
  ): Promise<LosslessJson | undefined | null> {
    const { world, life } = this;
    await world.io(life, point, 20, 400);
    if (world.during('gateway.down')) throw new GatewayUnavailable('no connection');
    if (world.strikes('api.timeout_before') || world.strikes('api.timeout_after'))
      throw new GatewayUnavailable('no answer in time');
    if (world.strikes('api.busy')) throw new GatewayUnavailable('busy', 5);
    const bad = this.badAnswer();
    const { status, body } = answer();
    const verdict = bad ?? judge(status, body);
    if (verdict.kind === 'ok') return verdict.data;
    if (verdict.kind === 'refused' && verdict.status === 404) return null;
    throw new GatewayUnavailable(`no usable answer (${verdict.kind})`);
  }

  private badAnswer(): Verdict | null {
    if (this.world.strikes('api.error_500')) return judge(500, says({}, 500));
    return this.world.strikes('api.html') ? judge(200, html) : null;
  }
}

const urlOf = (trackId: string): string => `https://pay.example/12345678/${trackId}`;
