import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { BreakerState, KeyName, Told } from './resilience.client.js';

/** What is asked of the gateway; `prices` is coins and states' currencies alike. */
export const gatewayOperations = [
  'open_invoice',
  'find_payment',
  'list_payments',
  'send_payout',
  'find_payout',
  'list_payouts',
  'accepted_currencies',
  'prices',
  'open_address',
  'revoke_address',
  'list_addresses',
] as const;
export type GatewayOperation = (typeof gatewayOperations)[number];

/**
 * What came of one request. `unauthorized`: our key was refused (401, 403); `throttled`: we were told to slow down (429);
 * `busy`: any other "not now"; `unreadable`: an answer that has not the agreed shape; `failed`: a server error, no answer in time, or none at all.
 */
const outcomes = ['ok', 'not_found', 'refused', 'unauthorized', 'throttled', 'busy', 'unreadable', 'failed'] as const;
type GatewayOutcome = (typeof outcomes)[number];

/** Seconds; a request is cut off after 10. */
const durations = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Seconds; nobody waits longer than 20 for a turn. */
const waits = [0.01, 0.1, 0.5, 1, 5, 10, 20];

const breakerLevels: Readonly<Record<BreakerState, number>> = { closed: 0, half_open: 1, open: 2 };

/** What is measured of the gateway: every request that was sent, and those that were not. */
export class GatewayMetrics {
  private readonly requests: Counter<'operation' | 'outcome'>;
  private readonly duration: Histogram<'operation'>;
  private readonly notSent: Counter<'reason'>;
  private readonly wait: Histogram;

  constructor(registry: Registry, breakers: () => Record<KeyName, BreakerState>) {
    const registers = [registry];
    this.requests = new Counter({
      name: 'finality_gateway_requests_total',
      help: 'Requests sent to the gateway, repetitions included, by what was asked and what came of it',
      labelNames: ['operation', 'outcome'],
      registers,
    });
    this.duration = new Histogram({
      name: 'finality_gateway_request_duration_seconds',
      help: 'From a request to the gateway to the last byte of its answer, or until it was given up',
      labelNames: ['operation'],
      buckets: durations,
      registers,
    });
    this.notSent = new Counter({
      name: 'finality_gateway_skipped_total',
      help: 'Questions that were not sent: the breaker was open, or no turn was left in the budget',
      labelNames: ['reason'],
      registers,
    });
    this.wait = new Histogram({
      name: 'finality_gateway_budget_wait_seconds',
      help: 'How long a question waited for its turn in the budget that all processes share',
      buckets: waits,
      registers,
    });
    breakerGauge(registry, breakers);
    this.begin();
  }

  answered(operation: GatewayOperation, told: Told<unknown>, seconds: number): void {
    this.requests.inc({ operation, outcome: outcomeOf(told) });
    this.duration.observe({ operation }, seconds);
  }

  skipped(reason: 'breaker' | 'budget'): void {
    this.notSent.inc({ reason });
  }

  waited(seconds: number): void {
    this.wait.observe(seconds);
  }

  /** A series that begins at its first event has no increase to show for it. */
  private begin(): void {
    for (const operation of gatewayOperations) {
      for (const outcome of outcomes) this.requests.inc({ operation, outcome }, 0);
      this.duration.zero({ operation });
    }
    for (const reason of ['breaker', 'budget']) this.notSent.inc({ reason }, 0);
  }
}

function outcomeOf(told: Told<unknown>): GatewayOutcome {
  switch (told.kind) {
    case 'ok':
      return 'ok';
    case 'refused':
      if (told.status === 401 || told.status === 403) return 'unauthorized';
      return told.status === 404 ? 'not_found' : 'refused';
    case 'busy':
      return told.status === 429 ? 'throttled' : 'busy';
    case 'failed':
      return told.unreadable ? 'unreadable' : 'failed';
    case 'held':
      // What is held was not sent: it never comes here.
      return 'busy';
  }
}

function breakerGauge(registry: Registry, breakers: () => Record<KeyName, BreakerState>): Gauge {
  return new Gauge({
    name: 'finality_gateway_breaker_state',
    help: 'Whether the gateway is asked, by the key that requests carry: 0 yes, 1 one request to see how it fares, 2 no',
    labelNames: ['key'],
    registers: [registry],
    collect() {
      for (const [key, state] of Object.entries(breakers())) this.set({ key }, breakerLevels[state]);
    },
  });
}
