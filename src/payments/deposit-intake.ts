import type { InboxMessage } from '../platform/event-store/append.js';
import type { StoredMessage } from '../platform/event-store/event-store.pg.js';
import type { Intake } from './evidence.js';
import type { GatewayReport } from './payment-gateway.js';
import type { Cause } from './payment-streams.pg.js';

/**
 * The port to addresses that stay open, whose every transfer becomes a payment of its own: what the gateway says of one
 * goes there. One adapter exists (`deposits/`).
 */
export abstract class DepositIntake {
  /** Whether a report is about an address; whatever it says would then be taken. */
  abstract isAbout(report: GatewayReport): Promise<boolean>;

  /** Stores what a callback says of an address, with what follows; null where its track id is of none. Throws `StoreUnavailable`. */
  abstract receive(report: GatewayReport, message: InboxMessage): Promise<Intake | null>;

  /** The same for the gateway's own answer. False where its track id is of no address. */
  abstract hear(report: GatewayReport, cause: Cause): Promise<boolean>;

  /** The same for a callback that was kept: the payments that it tells of; null where its track id is of no address. */
  abstract match(
    kept: StoredMessage,
    says: { report: GatewayReport; content: string },
    by: Pick<Cause, 'actor' | 'correlationId'>,
  ): Promise<string[] | null>;
}
