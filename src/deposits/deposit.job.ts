import { Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import type { RecordedEvent } from '../kernel/event.js';
import type { Reactor } from '../platform/subscriptions/projection.js';
import { readAddressEvent, type DepositAddressEvent } from './deposit-address.js';
import { DepositAddresses } from './deposit-addresses.pg.js';
import { DepositPayments } from './deposit-payments.handlers.js';

const seenType = 'DepositSeen' satisfies DepositAddressEvent['type'];

/** Begins the payment of each deposit that was seen, where whoever saw it died before it did. */
@Injectable()
export class DepositReactor implements Reactor {
  readonly kind = 'reactor';
  readonly name = 'deposits';

  constructor(
    private readonly addresses: DepositAddresses,
    private readonly payments: DepositPayments,
  ) {}

  concerns({ type }: RecordedEvent): boolean {
    return type === seenType;
  }

  async react(_tx: PoolClient, events: readonly RecordedEvent[]): Promise<void> {
    for (const recorded of events.filter((event) => this.concerns(event))) {
      const event = readAddressEvent(recorded);
      const found = await this.addresses.find(recorded.streamId);
      if (event.type !== seenType || found === null) continue;
      const { id: causationId, correlationId } = recorded;
      await this.payments.ensure(found.address, event.data, { actor: 'service', correlationId, causationId });
    }
  }
}
