import { Counter, type Registry } from 'prom-client';

export type CallbackResult = 'applied' | 'duplicate' | 'unmatched' | 'quarantined' | 'rejected';

/** How many callbacks came, by what became of them. A rejected one leaves nothing else behind. */
export class CallbackCounts {
  private readonly counter: Counter<'result'>;

  constructor(registry: Registry) {
    this.counter = new Counter({
      name: 'finality_callbacks_received_total',
      help: 'Callbacks of the gateway by what became of them',
      labelNames: ['result'],
      registers: [registry],
    });
  }

  count(result: CallbackResult): void {
    this.counter.inc({ result });
  }
}
