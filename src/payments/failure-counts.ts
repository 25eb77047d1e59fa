import { Counter, type Registry } from 'prom-client';

/** Where something can go wrong, and how: a closed list, because it labels a metric (docs/metrics.md). */
export const failureCauses = {
  /** Opening the invoice: refused by the gateway, surely not opened, or nobody knows. */
  create: ['refused', 'unavailable', 'unknown'],
  /** A callback that was not applied. */
  intake: ['rejected', 'unmatched', 'quarantined', 'unavailable'],
  /** The gateway contradicts us about the amount, the currency or the order; a person has to decide. */
  decide: ['amount', 'currency', 'order', 'review'],
  /** The gateway gave no answer that bears a callback's `paid` out, or goods went out without one. */
  confirm: ['silent', 'unconfirmed', 'waived'],
  /** An attempt to deliver a webhook, by its outcome; a delivery that was given up; an endpoint that was disabled. */
  deliver: [
    'http_3xx',
    'http_4xx',
    'http_5xx',
    'timeout',
    'connect',
    'tls',
    'dns',
    'blocked_address',
    'body_too_large',
    'given_up',
    'disabled',
  ],
  /** The application rejected the goods, did not answer, or was stopped from delivering. */
  fulfill: ['rejected', 'unanswered', 'stopped'],
  /** A follower of the log failed. */
  project: ['follower'],
  /** A look at the gateway: no answer, an answer that denies us, a question that was not sent, an error of ours. */
  reconcile: ['unavailable', 'denied', 'not_asked', 'error'],
  /** A refund: surely not sent, nobody knows, or failed. */
  refund: ['unavailable', 'unknown', 'failed'],
} as const;

export type FailureStage = keyof typeof failureCauses;
export type FailureCause<S extends FailureStage = FailureStage> = (typeof failureCauses)[S][number];

/** What went wrong in this process, by stage and cause. */
export class FailureCounts {
  private readonly counter: Counter<'stage' | 'cause'>;

  constructor(registry: Registry) {
    this.counter = new Counter({
      name: 'finality_failures_total',
      help: 'What went wrong, by where and how',
      labelNames: ['stage', 'cause'],
      registers: [registry],
    });
    // A series that begins at its first failure has no increase to show for it.
    for (const [stage, causes] of Object.entries(failureCauses))
      for (const cause of causes) this.counter.inc({ stage, cause }, 0);
  }

  count<S extends FailureStage>(stage: S, cause: FailureCause<S>): void {
    this.counter.inc({ stage, cause });
  }
}
