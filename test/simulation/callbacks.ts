import { jsonOf, wordOf, type Gateway, type Invoice } from './gateway.js';
import type { World } from './world.js';

/** When the gateway tries again, after the try before: five tries in all (docs.oxapay.com/webhook). */
const gaps = [60_000, 3 * 60_000, 30 * 60_000, 3 * 3600_000];
const patience = 15_000;

/** Takes a callback to the service; `answered` is called when and if it says 200. */
export type Post = (body: Buffer, answered: (ok: boolean) => void) => void;

/** Sends the gateway's callbacks over a network that loses, doubles, delays and garbles them. */
export class Callbacks {
  /** Those that may still be tried, or are on their way. */
  pending = 0;

  constructor(
    private readonly world: World,
    private readonly gateway: Gateway,
    private readonly post: Post,
    /** Whether it tells of underpaid, expired, accepted and refunded payments, too: no promise is made about them. */
    private readonly tellsAll: boolean,
  ) {}

  /** Plans the callbacks of an invoice whose future is known. */
  expect(invoice: Invoice): void {
    const { sent, lies, acceptedAt, refundingAt, refundedAt } = invoice.plan;
    const money = [...sent, ...lies].flatMap(({ seenAt, settledAt }) => [seenAt, settledAt]);
    const times = [...money, invoice.expiresAt, acceptedAt, refundingAt, refundedAt].filter((at) => at !== null);
    for (const at of new Set(times)) this.later(at - this.world.now + 1, () => this.tell(invoice));
    const { contradictedAt } = invoice.plan;
    if (contradictedAt !== null) this.later(contradictedAt - this.world.now, () => this.contradict(invoice));
  }

  /** An invoice was made: some accounts hear of that at once, before the answer that tells its track id. */
  made(invoice: Invoice): void {
    if (!this.tellsAll) return;
    const text = jsonOf(this.gateway.body(invoice, this.world.now, 'callback'));
    this.attempt(invoice, Buffer.from(text), 0);
  }

  private later(delay: number, run: () => void): void {
    this.pending++;
    this.world.after(delay, null, () => {
      this.pending--;
      run();
    });
  }

  private contradict(invoice: Invoice): void {
    const other = { ...invoice, cents: invoice.cents * 2 };
    const body = { ...this.gateway.body(other, this.world.now, 'callback'), status: 'Paid' };
    this.attempt(invoice, Buffer.from(jsonOf(body)), 0);
  }

  private tell(invoice: Invoice): void {
    const { world } = this;
    const word = wordOf(invoice, world.now);
    const promised = word === 'paying' || word === 'paid' || invoice.plan.lies.length > 0;
    if (!promised && (!this.tellsAll || word === 'waiting')) return;
    const text = jsonOf(this.gateway.body(invoice, world.now, 'callback'));
    this.attempt(invoice, Buffer.from(text), 0);
  }

  private attempt(invoice: Invoice, body: Buffer, tried: number): void {
    const { world } = this;
    let acknowledged = false;
    const copies = world.strikes('callback.duplicated') ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      if (world.during('callbacks.black_out') || world.strikes('callback.dropped')) continue;
      const delay = world.strikes('callback.delayed')
        ? world.rng('network').logarithmic(1000, 20 * 60_000)
        : world.rng('network').int(20, 400);
      const sent = world.strikes('callback.garbled')
        ? garbled(body, world.rng('network').int(1, body.length - 1))
        : body;
      const lost = world.strikes('callback.answer_lost');
      this.later(delay, () => {
        world.trace(invoice.orderId, `callback ${invoice.trackId} arrives, try ${String(tried + 1)}`);
        this.post(sent, (ok) => (acknowledged ||= ok && !lost));
      });
    }
    this.later(patience, () => {
      const gap = gaps[tried];
      if (!acknowledged && gap !== undefined) this.later(gap - patience, () => this.attempt(invoice, body, tried + 1));
    });
  }
}

/** Signed all the same: something broke before the signature was made. */
const garbled = (body: Buffer, at: number): Buffer => Buffer.concat([body.subarray(0, at), Buffer.from('?!')]);
