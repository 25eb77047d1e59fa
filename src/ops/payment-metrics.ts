import { Counter, Histogram, type Registry } from 'prom-client';
import { msOf, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Decimal } from '../payments/decimal.js';
import type { FailureCounts } from '../payments/failure-counts.js';
import type { Payment, PaymentEvent, Witness } from '../payments/payment.js';
import { readPaymentEvent } from '../payments/payment-stream.js';
import type { PaymentNews } from '../payments/payment-streams.pg.js';
import { reviewReasons } from '../payments/review-reasons.js';
import { labelsOf, type Label } from '../payments/standing.js';
import { currencyLabel } from './currency-label.js';

/** How a payment ended. `paid_late` and `underpaid` are `paid` and `expired` with the reason that matters most. */
const endings = ['paid', 'paid_late', 'underpaid', 'expired', 'refused', 'cancelled', 'rejected'] as const;
type Ending = (typeof endings)[number];

const labels: readonly Label[] = [
  'underpaid',
  'overpaid',
  'late',
  'multiple_transfers',
  'mixed_currency',
  'within_tolerance',
  'manually_accepted',
  'refunded',
  'partially_refunded',
  'credited',
  'gateway_conflict',
  'sandbox',
];
const witnesses: readonly Witness[] = ['callback', 'poll', 'operator', 'service'];
const contradictions = ['amount', 'currency', 'order'] as const;
/** What only a look at the gateway told: the callback that should have is missing. */
const corrections = ['missed_callback', 'missed_transfer', 'status', 'adopted_invoice', 'contradiction'] as const;
const refundSteps = ['requested', 'submitted', 'confirmed', 'failed'] as const;

/** Seconds: a payer takes minutes, a chain up to hours, a person days. */
const toPaid = [5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 86_400];
const confirmation = [0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600, 3600];
const applied = [0.01, 0.05, 0.25, 1, 5, 30, 60, 300, 3600];

/** Words of the gateway that nobody waits for, and for which it promises no callback. */
const unannounced: ReadonlySet<string> = new Set(['manual_accept', 'refunding', 'refunded', 'failed']);

/** What this process's commits say of payments: how many, how they end, how long it takes, what goes wrong. */
export class PaymentMetrics {
  private readonly created: Counter<'currency'>;
  private readonly finished: Counter<'status' | 'currency'>;
  private readonly labelled: Counter<'label'>;
  private readonly timeToPaid: Histogram<'witness'>;
  private readonly detectedToPaid: Histogram<'witness'>;
  private readonly confirmationDelay: Histogram;
  private readonly appliedDelay: Histogram;
  private readonly reviews: Counter<'reason'>;
  private readonly contradicted: Counter<'kind' | 'witness'>;
  private readonly corrected: Counter<'kind'>;
  private readonly refunds: Counter<'step'>;
  private readonly currencies = new Set<string>();

  constructor(
    registry: Registry,
    private readonly failures: FailureCounts,
    private readonly now: () => Instant,
  ) {
    const counter = <T extends string>(name: string, help: string, labelNames: T[]): Counter<T> =>
      new Counter({ name, help, labelNames, registers: [registry] });
    const histogram = <T extends string>(name: string, help: string, buckets: number[], labelNames: T[]) =>
      new Histogram({ name, help, buckets, labelNames, registers: [registry] });
    this.created = counter('finality_payments_created_total', 'Payments asked for', ['currency']);
    this.finished = counter('finality_payments_finished_total', 'Payments that ended, by how', ['status', 'currency']);
    this.labelled = counter(
      'finality_payments_labelled_total',
      'Payments that ended with a label, or were given it later',
      ['label'],
    );
    this.timeToPaid = histogram(
      'finality_payment_time_to_paid_seconds',
      'From the request for a payment until it is paid, by who told us',
      toPaid,
      ['witness'],
    );
    this.detectedToPaid = histogram(
      'finality_payment_detected_to_paid_seconds',
      'From the first sight of money (the gateway dates it) until the payment is paid, by who told us',
      toPaid,
      ['witness'],
    );
    this.confirmationDelay = histogram(
      'finality_payment_confirmation_delay_seconds',
      "From paid, upon a callback, until the gateway's own answer has confirmed it",
      confirmation,
      [],
    );
    this.appliedDelay = histogram(
      'finality_evidence_applied_delay_seconds',
      'From the receipt of a callback or an answer until its effect is committed',
      applied,
      [],
    );
    this.reviews = counter('finality_reviews_opened_total', 'Reasons for which a person was asked', ['reason']);
    this.contradicted = counter(
      'finality_contradictions_total',
      'How often the gateway contradicted itself or us, by what about and who said it',
      ['kind', 'witness'],
    );
    this.corrected = counter(
      'finality_reconcile_corrections_total',
      'What only a look at the gateway told, where a callback should have',
      ['kind'],
    );
    this.refunds = counter('finality_refund_steps_total', 'Steps of refunds', ['step']);
    this.begin();
  }

  /** To be told of every commit about a payment. */
  readonly hear = ({ before, payment, added, receivedAt }: PaymentNews): void => {
    if (receivedAt !== null) this.appliedDelay.observe(secondsBetween(receivedAt, this.now()));
    for (const recorded of added) this.hearEvent(payment, readPaymentEvent(recorded), recorded);
    if (added.length > 0) this.hearLabels(before, payment);
  };

  private hearEvent(payment: Payment, event: PaymentEvent, { actor }: RecordedEvent): void {
    switch (event.type) {
      case 'PaymentRequested':
        this.create(currencyLabel(event.data.currency));
        return;
      case 'PaymentPaid':
        this.hearPaid(payment, event.data);
        return;
      case 'PaymentCorroborated':
        if (payment.status === 'paid' && payment.invoice !== null)
          this.confirmationDelay.observe(secondsBetween(payment.paidAt, event.data.at));
        return;
      case 'PaymentExpired':
        this.end(payment, hasMoney(payment) ? 'underpaid' : 'expired');
        return;
      case 'PaymentCancelled':
        this.end(payment, 'cancelled');
        return;
      case 'PaymentRejected':
        this.end(payment, 'rejected');
        return;
      case 'InvoiceOpened':
        if (event.data.adopted) this.corrected.inc({ kind: 'adopted_invoice' });
        return;
      case 'TransferDetected':
        if (actor !== 'gateway') this.corrected.inc({ kind: 'missed_transfer' });
        return;
      case 'GatewayReported':
        if (event.data.witness === 'poll' && unannounced.has(event.data.status)) this.corrected.inc({ kind: 'status' });
        return;
      default:
        this.hearTrouble(payment, event);
        this.hearRefund(event);
    }
  }

  private create(currency: string): void {
    this.created.inc({ currency });
    if (this.currencies.has(currency)) return;
    this.currencies.add(currency);
    // Before the first of its payments ends: see `begin`.
    for (const status of endings) this.finished.inc({ status, currency }, 0);
  }

  private hearPaid(payment: Payment, { at, late, witness }: { at: Instant; late: boolean; witness: Witness }): void {
    this.end(payment, late ? 'paid_late' : 'paid');
    this.timeToPaid.observe({ witness }, secondsBetween(payment.terms.requestedAt, at));
    const seen = firstSeen(payment);
    if (seen !== null) this.detectedToPaid.observe({ witness }, secondsBetween(seen, at));
    if (witness === 'poll') this.corrected.inc({ kind: 'missed_callback' });
  }

  private end({ terms }: Payment, status: Ending): void {
    this.finished.inc({ status, currency: currencyLabel(terms.currency) });
  }

  private hearTrouble(payment: Payment, event: PaymentEvent): void {
    switch (event.type) {
      case 'InvoiceRefused':
        this.end(payment, 'refused');
        this.failures.count('create', 'refused');
        return;
      case 'InvoiceDelayed':
        this.failures.count('create', event.data.outcome);
        return;
      case 'ContradictionFound': {
        const { kind, witness } = event.data;
        this.contradicted.inc({ kind, witness });
        if (witness === 'poll') this.corrected.inc({ kind: 'contradiction' });
        this.failures.count('decide', kind);
        return;
      }
      case 'ReviewOpened':
        for (const reason of event.data.reasons) this.reviews.inc({ reason });
        this.failures.count('decide', 'review');
        return;
      case 'CorroborationDelayed':
        this.failures.count('confirm', event.data.reason);
        return;
      case 'CorroborationWaived':
        this.failures.count('confirm', 'waived');
        return;
      default:
    }
  }

  private hearRefund(event: PaymentEvent): void {
    switch (event.type) {
      case 'RefundRequested':
        this.refunds.inc({ step: 'requested' });
        return;
      case 'RefundSubmitted':
        this.refunds.inc({ step: 'submitted' });
        return;
      case 'RefundConfirmed':
        this.refunds.inc({ step: 'confirmed' });
        return;
      case 'RefundFailed':
        this.refunds.inc({ step: 'failed' });
        this.failures.count('refund', 'failed');
        return;
      case 'RefundDelayed':
        this.failures.count('refund', event.data.outcome);
        return;
      default:
    }
  }

  /** Labels count once a payment has ended, each once: until then they come and go. */
  private hearLabels(before: Payment | null, payment: Payment): void {
    if (isOpen(payment)) return;
    const known = new Set(before === null || isOpen(before) ? [] : labelsOf(before));
    for (const label of labelsOf(payment)) if (!known.has(label)) this.labelled.inc({ label });
  }

  /** A series that begins at its first event has no increase to show for it. */
  private begin(): void {
    for (const label of labels) this.labelled.inc({ label }, 0);
    for (const reason of reviewReasons) this.reviews.inc({ reason }, 0);
    for (const kind of corrections) this.corrected.inc({ kind }, 0);
    for (const step of refundSteps) this.refunds.inc({ step }, 0);
    for (const witness of witnesses) {
      this.timeToPaid.zero({ witness });
      this.detectedToPaid.zero({ witness });
      for (const kind of contradictions) this.contradicted.inc({ kind, witness }, 0);
    }
  }
}

const isOpen = ({ status }: Payment): boolean => status === 'created' || status === 'pending';

function hasMoney(payment: Payment): boolean {
  const received = 'money' in payment ? payment.money.received : '0';
  return received === null || new Decimal(received).gt('0');
}

/** When the first money was seen; null where there is none, as where credit paid all of it. */
function firstSeen(payment: Payment): Instant | null {
  const transfers = 'money' in payment ? payment.money.transfers : [];
  return transfers.reduce<Instant | null>(
    (first, { firstSeenAt }) => (first === null || firstSeenAt < first ? firstSeenAt : first),
    null,
  );
}

/** Two clocks may disagree about which came first; a time that passed is never less than none. */
const secondsBetween = (from: Instant, to: Instant): number => Math.max(0, (msOf(to) - msOf(from)) / 1000);
