import { Counter, Gauge, type Registry } from 'prom-client';
import type { FailureCause, FailureCounts } from '../payments/failure-counts.js';

/** What came of a look: it was done, or why not. */
export type LookOutcome = 'done' | FailureCause<'reconcile'>;
const lookOutcomes: readonly LookOutcome[] = ['done', 'unavailable', 'denied', 'not_asked', 'error'];

/** What is measured of the looks at the gateway in this process. */
export class ReconcileMetrics {
  private readonly runs: Counter<'outcome'>;
  private readonly lastSuccess: Gauge;
  private readonly looks: Counter<'outcome' | 'way'>;

  constructor(
    registry: Registry,
    private readonly failures: FailureCounts,
  ) {
    const registers = [registry];
    this.runs = new Counter({
      name: 'finality_reconcile_runs_total',
      help: 'How often this process looked for payments whose look is due',
      labelNames: ['outcome'],
      registers,
    });
    this.lastSuccess = new Gauge({
      name: 'finality_reconcile_last_success_timestamp_seconds',
      help: 'When this process last looked for payments whose look is due, and could',
      registers,
    });
    this.looks = new Counter({
      name: 'finality_reconcile_looks_total',
      help: 'Payments looked up at the gateway, one by one or on a page of its history, by what came of it',
      labelNames: ['outcome', 'way'],
      registers,
    });
    for (const outcome of ['ok', 'failed']) this.runs.inc({ outcome }, 0);
    for (const outcome of lookOutcomes) this.looks.inc({ outcome, way: 'single' }, 0);
    this.looks.inc({ outcome: 'done', way: 'history' }, 0);
  }

  /** One search for what is due has ended. */
  ran(ok: boolean): void {
    this.runs.inc({ outcome: ok ? 'ok' : 'failed' });
    if (ok) this.lastSuccess.setToCurrentTime();
  }

  looked(outcome: LookOutcome): void {
    this.looks.inc({ outcome, way: 'single' });
    if (outcome !== 'done') this.failures.count('reconcile', outcome);
  }

  /** A page of the history told of so many payments. */
  heard(payments: number): void {
    this.looks.inc({ outcome: 'done', way: 'history' }, payments);
  }

  /** A page of the history could not be read. */
  unheard(outcome: FailureCause<'reconcile'>): void {
    this.failures.count('reconcile', outcome);
  }
}
