import { Counter, Histogram, type Registry } from 'prom-client';
import type { FulfillmentNews } from '../fulfillment/fulfillment-streams.pg.js';
import { readFulfillmentEvent, type FulfillmentEvent } from '../fulfillment/fulfillment.js';
import { deliveryOutcomes, type DeliveryOutcome } from '../fulfillment/webhook-answer.js';
import type { DeliveryNews } from '../fulfillment/webhook-delivery.job.js';
import { msOf, type Instant } from '../kernel/clock.js';
import type { FailureCounts } from '../payments/failure-counts.js';

/** Seconds; an attempt is cut off after 15. */
const durations = [0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15];
/** Seconds; after three days a webhook is given up. */
const latencies = [0.25, 1, 5, 15, 60, 300, 1800, 3600, 21_600, 86_400, 259_200];
const answers = [0.25, 1, 5, 15, 60, 300, 1800, 3600, 21_600, 86_400];

const attemptBands = ['1', '2', '3_5', '6_plus'] as const;
const bandOf = (attempt: number): (typeof attemptBands)[number] =>
  attempt === 1 ? '1' : attempt === 2 ? '2' : attempt <= 5 ? '3_5' : '6_plus';

const steps = ['requested', 'accepted', 'fulfilled', 'rejected', 'unanswered', 'stopped', 'resumed'] as const;
type Step = (typeof steps)[number];

/** What this process delivers: webhooks, and through them the request for the goods. */
export class DeliveryMetrics {
  private readonly attempts: Counter<'outcome' | 'attempt'>;
  private readonly duration: Histogram<'result'>;
  private readonly latency: Histogram<'attempts'>;
  private readonly dead: Counter<'reason'>;
  private readonly disabled: Counter<'reason'>;
  private readonly fulfilments: Counter<'step'>;
  private readonly fulfilmentDelay: Histogram;

  constructor(
    registry: Registry,
    private readonly failures: FailureCounts,
  ) {
    const counter = <T extends string>(name: string, help: string, labelNames: T[]): Counter<T> =>
      new Counter({ name, help, labelNames, registers: [registry] });
    const histogram = <T extends string>(name: string, help: string, buckets: number[], labelNames: T[]) =>
      new Histogram({ name, help, buckets, labelNames, registers: [registry] });
    this.attempts = counter('finality_webhook_attempts_total', 'Attempts to deliver webhooks, by how they ended', [
      'outcome',
      'attempt',
    ]);
    this.duration = histogram(
      'finality_webhook_attempt_duration_seconds',
      'How long an attempt to deliver a webhook took',
      durations,
      ['result'],
    );
    this.latency = histogram(
      'finality_webhook_delivery_latency_seconds',
      'From the event that a webhook tells of to the first 2xx of its receiver, by the attempts it took; without those sent again',
      latencies,
      ['attempts'],
    );
    this.dead = counter('finality_webhook_dead_letters_total', 'Webhooks that were given up, by why', ['reason']);
    this.disabled = counter('finality_webhook_endpoints_disabled_total', 'Endpoints that were disabled, by why', [
      'reason',
    ]);
    this.fulfilments = counter(
      'finality_fulfillment_steps_total',
      'What applications were asked about goods, and said',
      ['step'],
    );
    this.fulfilmentDelay = histogram(
      'finality_fulfillment_delay_seconds',
      'From the request for the goods, made once a payment is paid and confirmed, to the report of the application',
      answers,
      [],
    );
    this.begin();
  }

  /** To be told of every attempt to deliver a webhook. */
  readonly hearAttempt = ({ delivery, outcome, durationMs, next, disabled, at }: DeliveryNews): void => {
    if (outcome !== null) this.hearOutcome(outcome, durationMs, delivery.attempt);
    // One that was sent again by hand is as old as whoever did that let it become.
    if (outcome === 'success' && delivery.attempt === delivery.roundAttempt)
      this.latency.observe({ attempts: bandOf(delivery.attempt) }, secondsBetween(delivery.toldAt, at));
    if (next.status === 'dead') {
      this.dead.inc({ reason: outcome === null ? 'no_endpoint' : 'failed' });
      this.failures.count('deliver', 'given_up');
    }
    if (disabled !== null) {
      this.disabled.inc({ reason: disabled });
      this.failures.count('deliver', 'disabled');
    }
  };

  /** To be told of every commit about a fulfilment. */
  readonly hearFulfillment = ({ fulfillment, added }: FulfillmentNews): void => {
    for (const recorded of added) {
      const event = readFulfillmentEvent(recorded);
      const step = stepOf(event);
      this.fulfilments.inc({ step });
      if (step === 'rejected' || step === 'unanswered' || step === 'stopped') this.failures.count('fulfill', step);
      if (event.type === 'FulfillmentReported' && fulfillment)
        this.fulfilmentDelay.observe(secondsBetween(fulfillment.requestedAt, event.data.at));
    }
  };

  private hearOutcome(outcome: DeliveryOutcome, durationMs: number, attempt: number): void {
    this.attempts.inc({ outcome, attempt: attempt === 1 ? 'first' : 'repeat' });
    this.duration.observe({ result: outcome === 'success' ? 'success' : 'failure' }, durationMs / 1000);
    if (outcome !== 'success') this.failures.count('deliver', outcome);
  }

  /** A series that begins at its first event has no increase to show for it. */
  private begin(): void {
    for (const outcome of deliveryOutcomes)
      for (const attempt of ['first', 'repeat']) this.attempts.inc({ outcome, attempt }, 0);
    for (const result of ['success', 'failure']) this.duration.zero({ result });
    for (const attempts of attemptBands) this.latency.zero({ attempts });
    for (const reason of ['failed', 'no_endpoint']) this.dead.inc({ reason }, 0);
    for (const reason of ['gone', 'failing']) this.disabled.inc({ reason }, 0);
    for (const step of steps) this.fulfilments.inc({ step }, 0);
  }
}

function stepOf(event: FulfillmentEvent): Step {
  switch (event.type) {
    case 'FulfillmentRequested':
      return 'requested';
    case 'FulfillmentAccepted':
      return 'accepted';
    case 'FulfillmentReported':
      return event.data.outcome;
    case 'FulfillmentStopped':
      return 'stopped';
    case 'FulfillmentResumed':
      return 'resumed';
    case 'FulfillmentUnanswered':
      return 'unanswered';
  }
}

const secondsBetween = (from: Instant, to: Instant): number => Math.max(0, (msOf(to) - msOf(from)) / 1000);
