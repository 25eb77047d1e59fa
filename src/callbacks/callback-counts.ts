import { Counter, Histogram, type Registry } from 'prom-client';
import { wireFaults } from '../gateway/fields.js';
import type { FailureCounts } from '../payments/failure-counts.js';

/** What became of a callback; `rejected` leaves nothing else behind, `unavailable` asks for a repeat. */
export type CallbackResult = 'applied' | 'duplicate' | 'unmatched' | 'quarantined' | 'rejected' | 'unavailable';

/** What can become of a callback, and why: with `none` where the result says it all. */
const reasons: Readonly<Record<CallbackResult, readonly string[]>> = {
  applied: ['none'],
  duplicate: ['none', 'unknown_track_id'],
  unmatched: ['unknown_track_id'],
  quarantined: [...wireFaults, 'decision_failed', 'identity_mismatch'],
  rejected: ['no_signature', 'wrong_signature', 'wrong_key', 'too_large', 'compressed', 'incomplete'],
  unavailable: ['none'],
};

/** Seconds. The gateway is told to come again after 1.9. */
const durations = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2];

/** Where it is kept, longer than a process lives, how many were turned away: nothing else of them is. */
export interface RejectionTally {
  count(reason: string): void;
}

/** How many callbacks came, by what became of them and why, and how long their answers took. */
export class CallbackCounts {
  private readonly counter: Counter<'result' | 'reason'>;
  private readonly duration: Histogram<'result'>;

  constructor(
    registry: Registry,
    private readonly failures: FailureCounts,
    private readonly rejections: RejectionTally,
  ) {
    this.counter = new Counter({
      name: 'finality_callbacks_received_total',
      help: 'Callbacks of the gateway by what became of them, and why',
      labelNames: ['result', 'reason'],
      registers: [registry],
    });
    this.duration = new Histogram({
      name: 'finality_callback_answer_duration_seconds',
      help: 'From the first byte of an authentic callback to its answer, which is given after the commit',
      labelNames: ['result'],
      buckets: durations,
      registers: [registry],
    });
    // A series that begins at its first event has no increase to show for it.
    for (const [result, known] of Object.entries(reasons)) {
      for (const reason of known) this.counter.inc({ result, reason }, 0);
      if (result !== 'rejected') this.duration.zero({ result });
    }
  }

  /** `reason` is one of a closed list; null where the result says it all. `seconds` until its answer, where it was authentic. */
  count(result: CallbackResult, reason: string | null, seconds?: number): void {
    this.counter.inc({ result, reason: reason ?? 'none' });
    if (seconds !== undefined) this.duration.observe({ result }, seconds);
    if (result !== 'applied' && result !== 'duplicate') this.failures.count('intake', result);
    if (result === 'rejected') this.rejections.count(reason ?? 'none');
  }
}
