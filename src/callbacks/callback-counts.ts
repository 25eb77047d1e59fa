import { Counter, type Registry } from 'prom-client';

/** What became of a callback; `rejected` leaves nothing else behind, `unavailable` asks for a repeat. */
export type CallbackResult = 'applied' | 'duplicate' | 'unmatched' | 'quarantined' | 'rejected' | 'unavailable';

/** How many callbacks came, by what became of them and why. */
export class CallbackCounts {
  private readonly counter: Counter<'result' | 'reason'>;

  constructor(registry: Registry) {
    this.counter = new Counter({
      name: 'finality_callbacks_received_total',
      help: 'Callbacks of the gateway by what became of them, and why',
      labelNames: ['result', 'reason'],
      registers: [registry],
    });
  }

  /** `reason` is one of a closed list; null where the result says it all. */
  count(result: CallbackResult, reason: string | null): void {
    this.counter.inc({ result, reason: reason ?? 'none' });
  }
}
