import { Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { Clock } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { readPaymentEvent } from '../payments/payment-stream.js';
import type { Terms } from '../payments/payment.js';
import { EventStore, type Stream } from '../platform/event-store/event-store.pg.js';
import type { Reactor } from '../platform/subscriptions/projection.js';
import { addCredit, returnCredit } from './credit.js';
import { CreditAccounts } from './credit-streams.pg.js';

const eventsAtOnce = 100;

/** Books what payments leave and give back to their customers, once per event, whatever is repeated and whoever else runs. */
@Injectable()
export class CustomerCreditReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'customer_credit';

  constructor(
    private readonly store: EventStore,
    private readonly accounts: CreditAccounts,
    private readonly clock: Clock,
  ) {}

  concerns({ type }: RecordedEvent): boolean {
    return type === 'CreditGranted' || type === 'CreditReleased';
  }

  async react(_tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    const due = events.filter((event) => this.concerns(event));
    for (let at = 0; at < due.length; at += eventsAtOnce) await this.book(due.slice(at, at + eventsAtOnce));
  }

  private async book(events: readonly RecordedEvent[]): Promise<void> {
    const released = events.filter(({ type }) => type === 'CreditReleased').map(({ streamId }) => streamId);
    const payments = await this.store.readMany(released);
    // Together, so that the store writes them in a few statements; those of one account take turns.
    await Promise.all(events.map((event) => this.bookOne(event, payments.get(event.streamId))));
  }

  /** Its own commit, ahead of the checkpoint's: seen again, the account knows the source and nothing is added. */
  private async bookOne(recorded: RecordedEvent, payment: Stream | undefined): Promise<void> {
    const { id: source, streamId: paymentId, tenant: applicationId, correlationId } = recorded;
    const cause = { actor: 'service', correlationId, causationId: source };
    const event = readPaymentEvent(recorded);
    if (event.type === 'CreditGranted') {
      const { customerId, currency, amount, clause: reason } = event.data;
      const addition = { customerId, currency, source, paymentId, amount, reason };
      await this.accounts.decide({ applicationId, customerId, currency }, cause, (account) =>
        addCredit(account, addition, this.clock.now()),
      );
    } else if (event.type === 'CreditReleased') {
      const { amount } = event.data;
      const { customerId, currency } = termsOf(recorded, payment);
      // A payment without a customer has never spent a credit.
      if (customerId === null) return;
      await this.accounts.decide({ applicationId, customerId, currency }, cause, (account) =>
        returnCredit(account, { customerId, currency, source, paymentId, amount }, this.clock.now()),
      );
    }
  }
}

/** What was agreed in the first event of the payment's stream. Throws where it is none of ours. */
function termsOf({ streamId }: RecordedEvent, payment: Stream | undefined): Terms {
  const [first] = payment?.events ?? [];
  const event = first && readPaymentEvent(first);
  if (event?.type !== 'PaymentRequested') throw new Error(`stream ${streamId} does not begin with PaymentRequested`);
  return event.data;
}
