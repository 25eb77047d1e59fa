import type { Fulfillment } from '../../src/fulfillment/fulfillment.js';
import type { Payment } from '../../src/payments/payment.js';
import type { Tx } from './follower.js';

interface Entry {
  version: number;
  /** The JSON text that the real projection wrote. */
  state: string;
}

export interface ReadState {
  payment: Payment;
  fulfillment: Fulfillment | null;
}

/** The tables of the order read model, as far as the real projection asks for them. */
export class ReadModel {
  readonly entries = new Map<string, Entry>();

  state(paymentId: string): (ReadState & { version: number }) | null {
    const entry = this.entries.get(paymentId);
    return entry ? { ...(JSON.parse(entry.state) as ReadState), version: entry.version } : null;
  }

  readonly answer = (tx: Tx, text: string, values: unknown[]): unknown[] => {
    if (/from payment_view where payment_id = any/.test(text)) return this.load(values[0] as string[]);
    if (/^\s*insert into payment_view/.test(text)) {
      const [ids, versions] = [values[0], values[14]].map((plain) => (plain as string).slice(1, -1).split(','));
      const states = (values[15] as string).split('\n');
      tx.write(() => {
        ids?.forEach((id, at) => this.entries.set(id, { version: Number(versions?.[at]), state: states[at] ?? '' }));
      });
    }
    return [];
  };

  private load(ids: readonly string[]): unknown[] {
    return ids.flatMap((id) => {
      const entry = this.entries.get(id);
      return entry ? [{ payment_id: id, version: entry.version, state: JSON.parse(entry.state) as ReadState }] : [];
    });
  }
}
