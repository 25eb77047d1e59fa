import {
  evolveFulfillment,
  isFulfillmentEvent,
  paymentOfFulfillment,
  readFulfillmentEvent,
  type Fulfillment,
} from '../../src/fulfillment/fulfillment.js';
import { contentOf, readCallback } from '../../src/gateway/wire.js';
import type { RecordedEvent } from '../../src/kernel/event.js';
import { callbackSource, messageOf } from '../../src/payments/evidence.js';
import { openReviewOf } from '../../src/payments/money.js';
import { evolve, type Payment, type PaymentEvent, type Terms } from '../../src/payments/payment.js';
import { isPaymentEvent, readPaymentEvent } from '../../src/payments/payment-stream.js';
import { isFulfillable, isHeld } from '../../src/payments/standing.js';
import { firstBreak } from '../../src/platform/event-store/hash-chain.js';
import type { InboxMessage } from '../../src/platform/event-store/event-store.pg.js';
import { confirmedAt, type Invoice } from './gateway.js';
import type { Shared } from './replica.js';
import { Violation } from './world.js';

/** What is known of one payment: its own fold, one event at a time, beside the code's. */
export interface Known {
  id: string;
  payment: Payment;
  version: number;
  fulfillment: Fulfillment | null;
  /** Virtual milliseconds of its request, and when it first had an end or a person to ask. */
  requestedAt: number;
  endedAt: number | null;
  fulfillableAt: number | null;
  acceptedByPerson: boolean;
}

/** From what status to what else a payment may ever go. */
const moves: Readonly<Record<Payment['status'], readonly Payment['status'][]>> = {
  created: ['pending', 'failed'],
  pending: ['paid', 'expired', 'failed'],
  // Late money, or a person.
  expired: ['paid', 'failed'],
  failed: ['paid'],
  paid: [],
};

/** Checks every commit and every answer against the truth at the gateway. */
export class Checker {
  readonly payments = new Map<string, Known>();
  /** Told when an invoice was recorded. */
  opened: (known: Known) => void = () => undefined;
  private readonly eventIds = new Set<string>();
  private readonly versions = new Map<string, number>();
  private readonly messageIds = new Set<string>();
  private readonly digests = new Set<string>();
  private readonly orderFulfilled = new Map<string, string>();
  private readonly seenPaid = new Set<string>();

  constructor(private readonly shared: Shared) {}

  /** After each commit, before anybody can see it. */
  committed(events: readonly RecordedEvent[], message: InboxMessage | null, isKnown: boolean): void {
    if (isKnown) throw new Violation('I3', 'the same evidence is kept twice', events[0]?.streamId ?? null);
    if (message) {
      if (message.reason === 'unknown_track_id') this.shared.world.count('a callback before its invoice');
      this.messageIds.add(message.id);
      this.digests.add(message.digest.toString('hex'));
    }
    for (const event of events) this.event(event);
  }

  /** I3: what was answered 200 is kept. */
  acknowledged(body: Buffer): void {
    const reading = readCallback(body);
    const contents: (string | Buffer)[] = reading.kind === 'unreadable' ? [body] : [contentOf(reading.report), body];
    const kept = contents.some((content) => {
      const evidence = { id: '', source: callbackSource, subject: null, content, body, receivedAt: '' };
      return this.digests.has(messageOf(evidence).digest.toString('hex'));
    });
    if (!kept) throw new Violation('I3', 'a callback was answered 200 and is not kept', orderOf(body));
  }

  /** I12: what was once told stays true. */
  told(id: string, payment: Payment, askedAt: number): void {
    if (payment.status === 'paid') this.seenPaid.add(id);
    else if (this.seenPaid.has(id))
      throw new Violation('I12', `told as paid before, and as ${payment.status} at ${String(askedAt)}`, id);
  }

  private event(event: RecordedEvent): void {
    const { shared } = this;
    const about = isPaymentEvent(event)
      ? event.streamId
      : isFulfillmentEvent(event)
        ? paymentOfFulfillment(event.streamId)
        : null;
    shared.world.trace(about, `${event.type} v${String(event.version)} @${String(event.position)} by ${event.actor}`);
    if (this.eventIds.has(event.id)) throw new Violation('I4', `event ${event.id} is there twice`, about);
    this.eventIds.add(event.id);
    const { name, position } = shared.checkpoints.furthest();
    if (event.position <= position)
      throw new Violation(
        'I8',
        `${name} had read up to ${String(position)} when ${String(event.position)} appeared`,
        about,
      );
    this.cause(event, about);
    this.version(event);
    if (isFulfillmentEvent(event)) this.fulfillmentEvent(event);
    else if (isPaymentEvent(event)) this.paymentEvent(event);
  }

  /** I17: whoever and whatever caused it is known. */
  private cause({ actor, causationId, correlationId, type }: RecordedEvent, about: string | null): void {
    const { issued, outbox } = this.shared;
    const known = (id: string): boolean =>
      issued.has(id) || this.eventIds.has(id) || this.messageIds.has(id) || outbox.webhookIds.has(id);
    if (!known(causationId) || !known(correlationId)) throw new Violation('I17', `${type} has no known cause`, about);
    if (actor === 'gateway' && !this.messageIds.has(causationId))
      throw new Violation('I17', `${type} by the gateway without the evidence for it`, about);
  }

  private paymentEvent(recorded: RecordedEvent): void {
    const event = readPaymentEvent(recorded);
    const id = recorded.streamId;
    const known = this.payments.get(id);
    const next = evolve(known?.payment ?? null, event);
    if (next === null) throw new Violation('I4', `a payment that begins with ${event.type}`, id);
    const before = known?.payment ?? null;
    const { now } = this.shared.world;
    const current: Known = known ?? {
      id,
      payment: next,
      version: 0,
      fulfillment: null,
      requestedAt: now,
      endedAt: null,
      fulfillableAt: null,
      acceptedByPerson: false,
    };
    if (before && before.status !== next.status && !moves[before.status].includes(next.status))
      throw new Violation('I5', `${event.type} makes a payment ${next.status} that was ${before.status}`, id);
    this.sighted(event, before, next);
    current.payment = next;
    current.version = recorded.version;
    if (event.type === 'ReviewResolved' && event.data.decision === 'accept') current.acceptedByPerson = true;
    this.payments.set(id, current);
    if (next.status !== 'created' && (next.status !== 'pending' || isHeld(next))) current.endedAt ??= now;
    if (event.type === 'PaymentCorroborated' || isFulfillable(next)) this.mustBeTrue(current, event.type);
    if (isFulfillable(next)) current.fulfillableAt ??= now;
    if (event.type === 'InvoiceOpened') this.invoice(current);
  }

  /** For the record of what a run has seen. */
  private sighted(event: PaymentEvent, before: Payment | null, next: Payment): void {
    const { world } = this.shared;
    world.count(event.type);
    if (before && before.status !== next.status) world.count(`${before.status} > ${next.status}`);
    if (event.type === 'InvoiceOpened' && event.data.adopted) world.count('an adopted invoice');
  }

  private invoice(known: Known): void {
    const invoice = this.invoiceOf(known.payment);
    if (invoice?.orderId !== known.id)
      throw new Violation('I2', 'the invoice is not the one of this payment', known.id);
    this.opened(known);
  }

  private fulfillmentEvent(recorded: RecordedEvent): void {
    const id = paymentOfFulfillment(recorded.streamId);
    const known = this.payments.get(id);
    if (!known) throw new Violation('I17', 'a fulfilment without a payment', id);
    const event = readFulfillmentEvent(recorded);
    this.shared.world.count(event.type);
    if (event.type === 'FulfillmentRequested') {
      if (known.fulfillment !== null) throw new Violation('I1', 'fulfilment is asked for twice', id);
      this.mustBeTrue(known, event.type);
      const { orderId } = known.payment.terms;
      const other = this.orderFulfilled.get(orderId);
      if (other !== undefined) throw new Violation('I1', `order ${orderId} is fulfilled by ${other} already`, id);
      this.orderFulfilled.set(orderId, id);
    }
    if (event.type === 'FulfillmentStopped') this.shared.merchant.stopped.add(event.data.messageId);
    known.fulfillment = evolveFulfillment(known.fulfillment, event);
  }

  private version({ version, streamId }: RecordedEvent): void {
    const before = this.versions.get(streamId) ?? 0;
    this.versions.set(streamId, version);
    if (version !== before + 1)
      throw new Violation('I4', `version ${String(version)} after ${String(before)} in ${streamId}`, streamId);
  }

  /** I2: the gateway truly has the money, for this payment, as the policy wants it. */
  private mustBeTrue(known: Known, what: string): void {
    // The settings let a silent gateway's callback do; who wants that takes the risk.
    if (isWaived(known.payment)) return;
    if (!known.acceptedByPerson && !this.isTrulyPaid(known, this.shared.world.now))
      throw new Violation('I2', `${what}, and the gateway does not have the money`, known.id);
  }

  isTrulyPaid({ payment }: Known, at: number): boolean {
    const invoice = this.invoiceOf(payment);
    if (!invoice || invoice.mistake !== null) return false;
    if (invoice.plan.acceptedAt !== null && invoice.plan.acceptedAt <= at) return true;
    const late = payment.terms.policy.rules.latePayment.then === 'accept';
    return covers(payment.terms, confirmedAt(invoice, at, late));
  }

  /** Whether all that ever came makes up the price, late or not: what a person would accept. */
  isWholeInTheEnd({ payment }: Known, at: number): boolean {
    const invoice = this.invoiceOf(payment);
    const accepted = invoice?.plan.acceptedAt ?? Infinity;
    return invoice?.mistake === null && (accepted <= at || covers(payment.terms, confirmedAt(invoice, at, true)));
  }

  /** Whether the goods of its order were asked for by another payment of it: then this one's money is for a person. */
  isOrderTaken({ id, payment }: Known): boolean {
    return (this.orderFulfilled.get(payment.terms.orderId) ?? id) !== id;
  }

  invoiceOf(payment: Payment): Invoice | undefined {
    const trackId = 'invoice' in payment ? payment.invoice?.trackId : undefined;
    return trackId === undefined ? undefined : this.shared.gateway.find(trackId);
  }

  /** When enough of it was confirmed for the gateway to call it paid; a later acceptance by hand counts, too. */
  truePaidAt(known: Known): number {
    const invoice = this.invoiceOf(known.payment);
    const times = invoice?.plan.sent.filter(({ fails }) => !fails).map(({ settledAt }) => settledAt) ?? [];
    return Math.max(...times, invoice?.plan.acceptedAt ?? 0);
  }

  /** I7: the read model is the fold of the events. */
  readModelMatches(): void {
    for (const { id, payment, version, fulfillment } of this.payments.values()) {
      const state = this.shared.readModel.state(id);
      const same =
        state?.version === version &&
        JSON.stringify(state.payment) === JSON.stringify(payment) &&
        JSON.stringify(state.fulfillment) === JSON.stringify(fulfillment);
      if (!same) throw new Violation('I7', `the read model is not the fold of the ${String(version)} events`, id);
    }
  }

  /** I16: the chain of hashes holds. */
  chainsHold(): void {
    for (const [streamId, rows] of this.shared.store.streams) {
      const events = rows.map(({ event, hash }) => ({ ...event, data: JSON.stringify(event.data), hash }));
      const broken = firstBreak(events);
      if (broken) throw new Violation('I16', `${broken.reason} at version ${String(broken.version)}`, streamId);
    }
  }

  reviewOf({ payment }: Known): readonly string[] {
    return 'money' in payment ? (openReviewOf(payment.money)?.reasons ?? []) : [];
  }
}

export const isWaived = (payment: Payment): boolean => payment.status === 'paid' && payment.waivedAt !== null;

const covers = ({ amount, policy }: Terms, cents: number): boolean => {
  const [whole = '0', fraction = '00'] = amount.split('.');
  const due = parseInt(whole, 10) * 100 + parseInt(fraction, 10);
  return cents * 100 >= due * (100 - parseInt(policy.rules.underpayment.tolerancePercent, 10));
};

function orderOf(body: Buffer): string | null {
  return /"order_id":"([0-9a-f-]{36})"/.exec(body.toString('utf8'))?.[1] ?? null;
}
