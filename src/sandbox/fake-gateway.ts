import { msOf } from '../kernel/clock.js';
import type { SystemClock } from '../platform/clock.js';
import { plain, type Decimal } from './amounts.js';
import { printJson } from './envelope.js';
import { depositAddress, senderAddress, transactionHash } from './identity.js';
import {
  BoundedMap,
  limits,
  type Payment,
  type PaymentStatus,
  type Payout,
  type PayoutStatus,
  type Transfer,
} from './ledger.js';
import type { JournalLine } from './journal.job.js';
import { coinOf, fromUsd, type Network, toUsd } from './market.js';
import { capitalised, paymentCallback } from './payment-answers.js';
import { dueStep, hashIn, nextStepMs, payoutCallback } from './payouts.js';
import { counts, isConfirmed, isOpen, settle } from './settlement.js';
import type { Message } from './delivery.js';

/** What a payer does: so much worth, in this coin, on this chain. */
export interface Paying {
  /** Worth in the payment's own currency. */
  worth: Decimal;
  currency: string;
  chain: Network;
  confirmations: number;
}

/**
 * Whether the merchant is told. `usual`: as the gateway does, when a payment becomes Paying or Paid. `always`: whatever
 * the status is. `never`: not at all.
 */
export type Telling = 'usual' | 'always' | 'never';

interface GatewayWorld {
  clock: SystemClock;
  /** Takes every change to what is remembered. */
  keep: (line: JournalLine) => void;
  /** Queues a callback. */
  send: (subject: Payment | Payout, message: Message) => void;
}

/** The payments and payouts of the sandbox, and everything that can happen to them. */
export class FakeGateway {
  readonly payments = new BoundedMap<Payment>(limits.payments);
  readonly payouts = new BoundedMap<Payout>(limits.payouts);
  private sequence: number;

  constructor(private readonly world: GatewayWorld) {
    // Nine digits as the gateway's. They start from the time, so that a sandbox without a state file does not give out the ids of its last run.
    this.sequence = 100_000_000 + (Math.floor(this.nowMs / 100) % 800_000_000);
  }

  get nowMs(): number {
    return msOf(this.world.clock.now());
  }

  nextTrackId(): string {
    this.sequence = this.sequence >= 999_999_999 ? 100_000_000 : this.sequence + 1;
    this.world.keep({ kind: 'sequence', value: this.sequence });
    return String(this.sequence);
  }

  restore(line: JournalLine): void {
    if (line.kind === 'sequence') this.sequence = line.value;
    else if (line.kind === 'payment' && line.value) this.payments.set(line.id, line.value);
    else if (line.kind === 'payout' && line.value) this.payouts.set(line.id, line.value);
    else if (line.kind === 'reset') this.clear();
  }

  *snapshot(): Generator<JournalLine> {
    yield { kind: 'sequence', value: this.sequence };
    yield { kind: 'clock', value: Math.round(this.world.clock.offset) };
    for (const value of this.payments.values()) yield { kind: 'payment', id: value.trackId, value };
    for (const value of this.payouts.values()) yield { kind: 'payout', id: value.trackId, value };
  }

  /** Forgets all payments and payouts. Track ids go on from where they were: the service still knows the old ones. */
  reset(): void {
    this.clear();
    this.world.keep({ kind: 'reset' });
  }

  private clear(): void {
    this.payments.clear();
    this.payouts.clear();
  }

  keepPayment(payment: Payment): void {
    const forgotten = this.payments.set(payment.trackId, payment);
    this.world.keep({ kind: 'payment', id: payment.trackId, value: payment });
    if (forgotten !== null) this.world.keep({ kind: 'payment', id: forgotten, value: null });
  }

  keepPayout(payout: Payout): void {
    const forgotten = this.payouts.set(payout.trackId, payout);
    this.world.keep({ kind: 'payout', id: payout.trackId, value: payout });
    if (forgotten !== null) this.world.keep({ kind: 'payout', id: forgotten, value: null });
  }

  /** The payment as it is now: a deadline that has passed has its effect first. */
  payment(trackId: string): Payment | undefined {
    const payment = this.payments.get(trackId);
    if (payment) this.moveOn(payment);
    return payment;
  }

  payout(trackId: string): Payout | undefined {
    const payout = this.payouts.get(trackId);
    if (payout) this.stepOn(payout);
    return payout;
  }

  /** All payments, each as it is now. */
  allPayments(): Payment[] {
    this.tick();
    return this.payments.values();
  }

  allPayouts(): Payout[] {
    this.tick();
    return this.payouts.values();
  }

  /** Lets the clock have its effects: deadlines of payments, steps of payouts. */
  tick(): void {
    const now = this.nowMs;
    for (const payment of this.payments.values()) if (isOpen(payment)) this.moveOn(payment, now);
    for (const payout of this.payouts.values()) this.stepOn(payout);
  }

  /** When the clock alone will change something next, later than `nowMs`; null where nothing is to come. */
  nextChangeMs(nowMs: number): number | null {
    let next: number | null = null;
    const consider = (ms: number | null): void => {
      if (ms !== null && ms > nowMs && (next === null || ms < next)) next = ms;
    };
    for (const payment of this.payments.values()) if (isOpen(payment)) consider(payment.expiresMs);
    for (const payout of this.payouts.values()) consider(nextStepMs(payout));
    return next;
  }

  /** A transfer is seen on chain. */
  seeTransfer(payment: Payment, paying: Paying, telling: Telling = 'usual'): Transfer {
    const transfer = this.transferOf(payment, paying);
    if (transfer.counts && payment.payCurrency === '') payment.payCurrency = paying.currency;
    if (isOpen(payment)) payment.network ||= paying.chain.code;
    payment.transfers.push(transfer);
    const before = payment.status;
    this.become(payment, settle(payment, this.nowMs));
    if (payment.type === 'static_address') this.tellDeposit(payment, transfer, telling);
    else this.tell(payment, telling, payment.status === 'paying' || payment.status !== before);
    this.keepPayment(payment);
    return transfer;
  }

  private transferOf(payment: Payment, paying: Paying): Transfer {
    const { currency, chain, worth, confirmations } = paying;
    const usd = toUsd(worth, payment.currency);
    const sandbox = payment.sandbox;
    return {
      hash: sandbox ? 'sandbox' : transactionHash(payment.trackId, payment.transfers.length + 1, chain),
      sent: plain(fromUsd(usd, currency)),
      worth: plain(usd),
      currency,
      network: chain.code,
      address: sandbox ? 'sandbox' : payment.address || depositAddress(payment.trackId, chain),
      sender: senderAddress(payment.trackId, chain),
      confirmations,
      seenMs: this.nowMs,
      counts: counts(payment, currency) && coinOf(currency) !== undefined,
    };
  }

  /** Every transfer has that many confirmations now. */
  confirm(payment: Payment, count: number, telling: Telling = 'usual'): void {
    const before = payment.status;
    const unconfirmed = payment.transfers.filter((transfer) => !isConfirmed(transfer));
    for (const transfer of payment.transfers) transfer.confirmations = count;
    this.become(payment, settle(payment, this.nowMs));
    if (payment.type === 'static_address')
      for (const transfer of unconfirmed.filter(isConfirmed)) this.tellDeposit(payment, transfer, telling);
    else this.tell(payment, telling, payment.status !== before && payment.status === 'paid');
    this.keepPayment(payment);
  }

  /** Sets a status by hand, as the merchant's panel (or trouble at the gateway) would. */
  setStatus(payment: Payment, status: PaymentStatus, telling: Telling): void {
    this.become(payment, status);
    this.tell(payment, telling, true);
    this.keepPayment(payment);
  }

  /** Brings the deadline to now. */
  expireNow(payment: Payment): void {
    payment.expiresMs = this.nowMs;
    this.moveOn(payment);
    this.keepPayment(payment);
  }

  setPayoutStatus(payout: Payout, status: PayoutStatus, telling: Telling): void {
    payout.hash = hashIn(payout, status);
    payout.status = status;
    if (telling !== 'never') this.tellPayout(payout);
    this.keepPayout(payout);
  }

  /** A callback as it would be sent now; null where the payment has no callback address. */
  message(payment: Payment, status: string = payment.status, transfers = payment.transfers): Message | null {
    if (payment.callbackUrl === '') return null;
    const body = printJson(paymentCallback(payment, status, transfers));
    return { status: capitalised(status), url: payment.callbackUrl, body, signer: 'merchant' };
  }

  send(payment: Payment, message: Message | null): void {
    if (message) this.world.send(payment, message);
  }

  private tell(payment: Payment, telling: Telling, usual: boolean): void {
    // Only Paying and Paid are promised by the gateway; the rest has to be asked for.
    const promised = payment.status === 'paying' || payment.status === 'paid';
    if (telling === 'always' || (telling === 'usual' && usual && promised)) this.send(payment, this.message(payment));
  }

  private tellDeposit(payment: Payment, transfer: Transfer, telling: Telling): void {
    const status = isConfirmed(transfer) ? 'paid' : 'paying';
    if (telling !== 'never') this.send(payment, this.message(payment, status, [transfer]));
  }

  private tellPayout(payout: Payout): void {
    if (payout.callbackUrl === '') return;
    const body = printJson(payoutCallback(payout));
    this.world.send(payout, { status: capitalised(payout.status), url: payout.callbackUrl, body, signer: 'payout' });
  }

  private become(payment: Payment, status: PaymentStatus): void {
    if (status === 'paid' && payment.paidMs === null) payment.paidMs = this.nowMs;
    payment.status = status;
  }

  private moveOn(payment: Payment, now = this.nowMs): void {
    const status = settle(payment, now);
    if (status === payment.status) return;
    this.become(payment, status);
    this.keepPayment(payment);
  }

  private stepOn(payout: Payout): void {
    for (let step = dueStep(payout, this.nowMs); step; step = dueStep(payout, this.nowMs))
      this.setPayoutStatus(payout, step, 'usual');
  }
}
