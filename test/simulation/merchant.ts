import type { DeliveryOutcome } from '../../src/fulfillment/webhook-answer.js';
import type { WebhookClient, WebhookRequest, WebhookResponse } from '../../src/fulfillment/webhook.client.js';
import { Violation, type Life, type World } from './world.js';

interface Told {
  paymentId: string;
  sequence: number;
  type: string;
}

interface Answer {
  status: number;
  body: string;
  /** Seconds. */
  retryAfter: number | null;
}

/** One application's shop: what it was told, what it has delivered, and how it fails. */
export class Merchant {
  /** Distinct webhook-ids of fulfilment requests that were acted upon, by payment. */
  readonly fulfilled = new Map<string, Set<string>>();
  /** What was stopped: an attempt that is under way then, or is made when it is resumed, comes after what has come between. */
  readonly stopped = new Set<string>();
  /** When that was, virtual milliseconds. */
  readonly when = new Map<string, number>();
  /** Payments that the shop will report later, by the API. */
  later: (paymentId: string) => void = () => undefined;
  /** Payments whose promised report never comes. */
  readonly forgotten = new Set<string>();
  /** Payments of which some webhook was not taken at once: the schedule decides when it is sent again. */
  readonly failedOnce = new Set<string>();
  private readonly firstSeen = new Map<string, number>();
  private readonly bodies = new Map<string, string>();

  constructor(private readonly world: World) {}

  /** Takes one request that has arrived; null is no answer. */
  take(request: WebhookRequest): Answer | null {
    const told = readBody(request.body);
    const answer = this.answer(request, told);
    if (answer === null || answer.status > 299) this.failedOnce.add(told.paymentId);
    return answer;
  }

  private answer({ url, messageId, body }: WebhookRequest, told: Told): Answer | null {
    const { world } = this;
    this.checkOrder(url, messageId, told);
    this.checkBody(messageId, body, told);
    if (world.during('merchant.dead')) return null;
    if (world.strikes('merchant.timeout')) return null;
    if (world.strikes('merchant.error')) return { status: 500, body: 'oops', retryAfter: null };
    if (world.strikes('merchant.busy')) return { status: 429, body: '', retryAfter: world.rng('shop').int(1, 900) };
    const answer = told.type === 'fulfillment.requested' ? this.deliver(told.paymentId, messageId) : '';
    world.trace(told.paymentId, `shop takes ${told.type} #${String(told.sequence)} ${messageId}`);
    if (world.strikes('merchant.answer_lost')) return null;
    return { status: answer === 'later' ? 202 : 200, body: answer, retryAfter: null };
  }

  private deliver(paymentId: string, messageId: string): string {
    const ids = this.fulfilled.get(paymentId) ?? new Set();
    const known = ids.has(messageId);
    ids.add(messageId);
    if (!known) this.when.set(paymentId, this.world.now);
    this.fulfilled.set(paymentId, ids);
    if (ids.size > 1) throw new Violation('I1', `the shop delivers twice: ${[...ids].join(', ')}`, paymentId);
    if (known) return '';
    if (this.world.strikes('merchant.rejects')) return '{"outcome":"rejected","note":"sold out"}';
    if (!this.world.strikes('merchant.later')) return '{"outcome":"fulfilled"}';
    if (!this.world.strikes('merchant.forgets')) this.later(paymentId);
    else this.forgotten.add(paymentId);
    return 'later';
  }

  /** I10: first attempts of a payment's webhooks come in order, at each endpoint. */
  private checkOrder(url: string, messageId: string, { paymentId, sequence }: Told): void {
    const key = `${url} ${paymentId}`;
    const furthest = this.firstSeen.get(key) ?? 0;
    const first = !this.bodies.has(`${url} ${messageId}`);
    if (first && sequence <= furthest && !this.stopped.has(messageId))
      throw new Violation('I10', `#${String(sequence)} comes first after #${String(furthest)} at ${url}`, paymentId);
    this.firstSeen.set(key, Math.max(furthest, sequence));
  }

  /** Every attempt of a webhook carries the same bytes. */
  private checkBody(messageId: string, body: string, { paymentId }: Told): void {
    const known = this.bodies.get(messageId);
    if (known !== undefined && known !== body) throw new Violation('I10', `two bodies under ${messageId}`, paymentId);
    this.bodies.set(messageId, body);
  }

  sawFirst(url: string, messageId: string): void {
    this.bodies.set(`${url} ${messageId}`, '');
  }
}

function readBody(body: string): Told {
  const { type, data } = JSON.parse(body) as { type: string; data: { id: string; sequence: number } };
  return { paymentId: data.id, sequence: data.sequence, type };
}

type Public = Pick<WebhookClient, 'send'>;

/** One process's way to the shop. */
export class MerchantLine implements Public {
  constructor(
    private readonly world: World,
    private readonly merchant: Merchant,
    private readonly life: Life,
  ) {}

  async send(request: WebhookRequest): Promise<WebhookResponse> {
    const { world, life } = this;
    await world.io(life, 'merchant.send.before', 5, 300);
    let answer: Answer | null = null;
    try {
      answer = this.merchant.take(request);
      this.merchant.sawFirst(request.url, request.messageId);
    } catch (error) {
      world.fail(error);
    }
    await world.io(life, 'merchant.send.after', 5, answer === null ? 15_000 : 900);
    const status = answer?.status ?? null;
    const outcome: DeliveryOutcome =
      answer === null ? 'timeout' : answer.status < 300 ? 'success' : answer.status < 500 ? 'http_4xx' : 'http_5xx';
    return { outcome, status, body: answer?.body ?? '', retryAfterSeconds: answer?.retryAfter ?? null, durationMs: 20 };
  }
}
