import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { Clock } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { depositsIn, firstAddressEvent, foldAddress } from '../deposits/deposit-address.js';
import { isUuid } from '../kernel/ids.js';
import type { JsonValue } from '../kernel/json.js';
import type { MovementEvent } from '../customers/credit.js';
import { creditScope } from '../customers/credit-streams.pg.js';
import { trackKeyScope } from '../payments/gateway-event.handlers.js';
import { PaymentGateway, type GatewayReport } from '../payments/payment-gateway.js';
import { fold } from '../payments/payment-stream.js';
import { isReportable, type Payment } from '../payments/payment.js';
import type { Refund } from '../payments/refund.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { eventsOf, movementTypes } from './day-log.pg.js';
import { accountOf, creditOf, matchCredit, type CreditOfPayment } from './match-credit.js';
import { spanOf } from './match-day.js';
import { matchAddress, matchPayment, matchUnread, matchUnreadable } from './match-payments.js';
import { matchRefund, otherPayout, refundNamedBy } from './match-refunds.js';
import { Matching, type MatchReport } from './match.js';
import { spansOf } from './reconcile.js';

export interface MatchOptions {
  /** Ends the match between two steps, with the reason of the signal. */
  signal?: AbortSignal;
  /** Called between two steps with the number of payments that were compared so far. */
  onStep?: (payments: number) => Promise<void> | void;
}

const pagesAtMost = 10_000;

/** A match that leaves something out would call a day right that nobody has seen whole. */
function withinBounds(lastPage: number): number {
  if (lastPage > pagesAtMost)
    throw new Error(`the gateway's history of one day has more than ${String(pagesAtMost)} pages`);
  return lastPage;
}

const atOnce = 8;
const streamsAtOnce = 200;
/** So many payments that differ are asked for once more: what moved between two looks is no difference. */
const secondLooks = 500;
/** With fewer payments in a span than this, they are asked for one by one. */
const manyPayments = 50;

/** Holds our events, the gateway's history and the ledger of a day against each other. It changes nothing. */
@Injectable()
export class DailyMatch {
  constructor(
    @Inject(DatabasePool) private readonly pool: Pool,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /**
   * Compares what there is now of all payments that the gateway has of that day, and of all of ours that anything
   * happened to on it. The questions take their turns in the fleet's budget. Throws `GatewayUnavailable`.
   */
  async make(day: string, options: MatchOptions = {}): Promise<MatchReport> {
    const { pool, store, gateway } = this;
    const run = new DayRun({ pool, store, gateway }, day, options);
    await run.readLog();
    await run.readHistory();
    await run.askForTheRest();
    await run.lookAgain();
    await run.matchRefunds();
    await run.matchLedger();
    const now = this.clock.now();
    return run.matching.report(day, now, now >= spanOf(day).to);
  }
}

interface Books {
  pool: Pool;
  store: EventStore;
  gateway: PaymentGateway;
}

/** One match of one day. What it remembers of payments are their ids. */
class DayRun {
  readonly matching = new Matching();
  /** Payments of ours that something happened to on the day, and that nothing was compared with yet. */
  private readonly touched = new Set<string>();
  /** Payments whose credit moved on the day, by their events or by the ledger's. */
  private readonly credited = new Set<string>();
  /** Accounts that were written to on the day. */
  private readonly written = new Set<string>();
  /** Track ids that the history told of: pages may shift while they are read. */
  private readonly heard = new Set<string>();
  private readonly doubtful: { paymentId: string | null; trackId: string }[] = [];
  private readonly refunds = new Map<string, { paymentId: string; refund: Refund }>();
  /** Names of the accounts that were read, and their entries by the payments in question. */
  private readonly accounts = new Set<string>();
  private readonly booked = new Map<string, MovementEvent[]>();
  /** Payments whose events somebody has spoilt: one of them must not keep the others from being compared. */
  private readonly unreadable = new Set<string>();

  constructor(
    private readonly books: Books,
    private readonly day: string,
    private readonly options: MatchOptions,
  ) {}

  async readLog(): Promise<void> {
    const { from, to } = spanOf(this.day);
    const movements: ReadonlySet<string> = new Set(movementTypes);
    for await (const events of eventsOf(this.books.pool, from, to)) {
      for (const { type, streamId, paymentId } of events) {
        if (movements.has(type)) {
          this.written.add(streamId);
          if (paymentId !== null && isUuid(paymentId)) this.credited.add(paymentId);
        } else {
          this.touched.add(streamId);
          if (type === 'CreditGranted' || type === 'CreditApplied' || type === 'CreditReleased')
            this.credited.add(streamId);
        }
      }
      await this.step();
    }
  }

  /** What the gateway has of the day, page by page. */
  async readHistory(): Promise<void> {
    await this.readSpan(spanOf(this.day), () => true);
  }

  /** Payments of other days that something happened to on this one, and those that the gateway did not tell of. */
  async askForTheRest(): Promise<void> {
    const open: { id: string; createdAt: string; trackId: string }[] = [];
    for (const ids of pagesOf([...this.touched], streamsAtOnce)) {
      for (const payment of (await this.load(ids)).values()) {
        const { id, requestedAt: createdAt } = payment.terms;
        if (isReportable(payment)) open.push({ id, createdAt, trackId: payment.invoice.trackId });
        else this.take(payment, null);
      }
      await this.step();
    }
    for (const { from, to, ids } of spansOf(open)) {
      const wanted = new Set(ids);
      if (ids.length >= manyPayments)
        await this.readSpan({ from, to }, ({ orderId }) => orderId !== null && wanted.has(orderId));
    }
    const left = open.filter(({ id }) => this.touched.has(id));
    for (const few of pagesOf(left, atOnce)) {
      await Promise.all(few.map(async ({ id, trackId }) => this.compare(id, trackId)));
      await this.step();
    }
  }

  /** What differed is read once more on both sides, ours first. */
  async lookAgain(): Promise<void> {
    for (const few of pagesOf(this.doubtful.splice(0), atOnce)) {
      await Promise.all(few.map(async ({ paymentId, trackId }) => this.compare(paymentId, trackId, false)));
      await this.step();
    }
  }

  async matchRefunds(): Promise<void> {
    const { gateway } = this.books;
    for (let page = 1, last = 1; page <= Math.min(last, pagesAtMost); page++) {
      const { reports, lastPage } = await gateway.listPayouts({ ...spanOf(this.day), page });
      last = withinBounds(lastPage);
      for (const payout of reports) {
        const named = refundNamedBy(payout);
        if (named === null) {
          this.matching.add(otherPayout(payout), 'refunds');
          continue;
        }
        const refund = (await this.refundsOf(named.paymentId)).find(({ number }) => number === named.number) ?? null;
        this.matching.add(matchRefund(named.paymentId, refund, payout), 'refunds');
        this.refunds.delete(payout.trackId);
      }
      await this.step();
    }
    for (const few of pagesOf([...this.refunds], atOnce)) {
      const found = await Promise.all(few.map(async ([trackId]) => gateway.findPayout(trackId)));
      few.forEach(([, { paymentId, refund }], index) => {
        this.matching.add(matchRefund(paymentId, refund, found[index] ?? null), 'refunds');
      });
      await this.step();
    }
  }

  /** Each account that is concerned is read once: those written to on the day, and those of payments that say they did. */
  async matchLedger(): Promise<void> {
    for (const ids of pagesOf([...this.written], streamsAtOnce)) {
      for (const { events } of (await this.books.store.readMany(ids)).values())
        this.readAccount(nameOf(events), events);
      await this.step();
    }
    for (const ids of pagesOf([...this.credited], streamsAtOnce)) {
      const streams = await this.books.store.readMany(ids);
      for (const id of ids) {
        const credit = this.read(id, () => creditOf(streams.get(id)?.events ?? []));
        if (this.unreadable.has(id)) continue;
        if (credit) await this.findAccount(credit);
        this.matching.add(matchCredit(id, credit, this.booked.get(id) ?? []), 'credits');
      }
      await this.step();
    }
  }

  private async findAccount({ applicationId, customerId, currency }: CreditOfPayment): Promise<void> {
    const name = `${applicationId}:${customerId}:${currency}`;
    if (this.accounts.has(name)) return;
    const id = await this.books.store.streamOf(creditScope({ applicationId, customerId }), currency);
    this.readAccount(name, id === null ? [] : (await this.books.store.read(id)).events);
  }

  /** Keeps of it what names the payments in question. */
  private readAccount(name: string, events: readonly RecordedEvent[]): void {
    if (this.accounts.has(name)) return;
    this.accounts.add(name);
    const { movements, outcome } = accountOf(name, events);
    this.matching.add(outcome, 'accounts');
    for (const [id, some] of movements)
      if (this.credited.has(id)) this.booked.set(id, [...(this.booked.get(id) ?? []), ...some]);
  }

  private async readSpan(
    span: { from: string; to: string },
    isWanted: (report: GatewayReport) => boolean,
  ): Promise<void> {
    for (let page = 1, last = 1; page <= Math.min(last, pagesAtMost); page++) {
      const { reports, unread, lastPage } = await this.books.gateway.listPayments({ ...span, page });
      last = withinBounds(lastPage);
      const fresh = reports.filter((report) => isWanted(report) && !this.heard.has(report.trackId));
      for (const { trackId } of fresh) this.heard.add(trackId);
      await this.hear(fresh);
      for (const id of unread.filter((text) => this.touched.has(text))) {
        this.touched.delete(id);
        this.matching.add(matchUnread(id), 'payments');
      }
      await this.step();
    }
  }

  private async hear(reports: readonly GatewayReport[], again = true): Promise<void> {
    const named = reports.flatMap(({ orderId }) => (orderId !== null && isUuid(orderId) ? [orderId] : []));
    const payments = await this.load(named);
    for (const report of reports) {
      const found = report.orderId === null ? undefined : payments.get(report.orderId);
      const payment = found ?? (await this.byTrackId(report.trackId));
      if (payment !== null || !(await this.hearAddress(report, again))) this.take(payment, report, again);
    }
  }

  /** What comes under the track id of a deposit address is many payments. False where it is no address of ours. */
  private async hearAddress(report: GatewayReport, again: boolean): Promise<boolean> {
    const { store } = this.books;
    const id = await store.streamOf(trackKeyScope, report.trackId);
    const { events } = id === null ? { events: [] } : await store.read(id);
    const address = events[0]?.type === firstAddressEvent ? foldAddress(events) : null;
    if (address === null) return false;
    this.matching.add(matchAddress(address, report), 'payments');
    for (const ids of pagesOf(
      depositsIn(address, report).map(({ paymentId }) => paymentId),
      streamsAtOnce,
    ))
      for (const payment of (await this.load(ids)).values()) this.take(payment, report, again);
    return true;
  }

  private async byTrackId(trackId: string): Promise<Payment | null> {
    const id = await this.books.store.streamOf(trackKeyScope, trackId);
    return id === null ? null : this.byId(id);
  }

  private async byId(id: string): Promise<Payment | null> {
    return (await this.load([id])).get(id) ?? null;
  }

  private async compare(paymentId: string | null, trackId: string, again = true): Promise<void> {
    const ours = paymentId === null ? null : await this.byId(paymentId);
    const report = await this.books.gateway.findPayment(trackId);
    if (ours === null && report !== null) await this.hear([report], again);
    else this.take(ours, report, again);
  }

  /** Compares, and leaves what differs to a second look where there is to be one. */
  private take(ours: Payment | null, report: GatewayReport | null, again = true): void {
    if (report?.orderId && this.unreadable.has(report.orderId)) return;
    const outcome = ours ? this.read(ours.terms.id, () => matchPayment(ours, report)) : matchPayment(ours, report);
    if (outcome === null) return;
    const trackId = this.tick(ours, report);
    if (again && outcome.differences.length > 0 && trackId !== null && this.doubtful.length < secondLooks)
      this.doubtful.push({ paymentId: ours?.terms.id ?? null, trackId });
    else this.matching.add(outcome, 'payments');
  }

  /** Ticks a payment of ours off, and tells the track id that it was compared by. A second invoice says nothing of the first. */
  private tick(ours: Payment | null, report: GatewayReport | null): string | null {
    const invoice = ours && isReportable(ours) ? ours.invoice.trackId : null;
    const trackId = report?.trackId ?? invoice;
    if (ours && (invoice === null || trackId === invoice)) this.touched.delete(ours.terms.id);
    if (ours && isReportable(ours)) this.noteRefunds(ours.terms.id, ours.money.refunds);
    return trackId;
  }

  private noteRefunds(paymentId: string, refunds: readonly Refund[]): void {
    for (const refund of refunds) if (refund.trackId !== null) this.refunds.set(refund.trackId, { paymentId, refund });
  }

  private async refundsOf(paymentId: string): Promise<readonly Refund[]> {
    const payment = await this.byId(paymentId);
    return payment && isReportable(payment) ? payment.money.refunds : [];
  }

  private async load(ids: readonly string[]): Promise<Map<string, Payment>> {
    const payments = new Map<string, Payment>();
    if (ids.length === 0) return payments;
    for (const [id, { events }] of await this.books.store.readMany(ids)) {
      const payment = events[0]?.type === 'PaymentRequested' ? this.read(id, () => fold(events)) : null;
      if (payment) payments.set(id, payment);
    }
    return payments;
  }

  /** Null, and a difference once, where it fails. */
  private read<T>(id: string, reader: () => T): T | null {
    try {
      return reader();
    } catch (error) {
      const fault = error instanceof Error ? error.message : 'unreadable';
      if (!this.unreadable.has(id)) this.matching.add(matchUnreadable(id, fault), 'payments');
      this.unreadable.add(id);
      this.touched.delete(id);
      return null;
    }
  }

  private async step(): Promise<void> {
    this.options.signal?.throwIfAborted();
    await this.options.onStep?.(this.matching.compared.payments + this.doubtful.length);
  }
}

const nameOf = ([first]: readonly RecordedEvent[]): string =>
  first ? `${first.tenant}:${textOf(first.data['customerId'])}:${textOf(first.data['currency'])}` : '';

const textOf = (value: JsonValue | undefined): string => (typeof value === 'string' ? value : '');

function pagesOf<T>(all: readonly T[], size: number): T[][] {
  const pages: T[][] = [];
  for (let at = 0; at < all.length; at += size) pages.push(all.slice(at, at + size));
  return pages;
}
