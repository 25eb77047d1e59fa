import { Inject, Injectable, Logger } from '@nestjs/common';
import { Clock } from '../kernel/clock.js';
import { Ids } from '../kernel/ids.js';
import { DepositIntake } from '../payments/deposit-intake.js';
import { causeOf, copyOf, messageOf, pollSource, type Intake } from '../payments/evidence.js';
import type { GatewayReport } from '../payments/payment-gateway.js';
import type { Cause } from '../payments/payment-streams.pg.js';
import type { Witness } from '../payments/payment.js';
import { EventStore, type InboxMessage, type StoredMessage } from '../platform/event-store/event-store.pg.js';
import { depositsIn, depositsSeen, type DepositAddress } from './deposit-address.js';
import { DepositAddresses, type LoadedAddress } from './deposit-addresses.pg.js';
import { DepositPayments } from './deposit-payments.handlers.js';

/**
 * What the gateway says of an address: stored with the deposits that were not known before, in one commit, and then told
 * to the payments that they make. A crash in between loses nothing: the deposits are in the log, from which their payments
 * are begun, and each payment is looked up until it is settled.
 */
@Injectable()
export class AddressIntake extends DepositIntake {
  private readonly log = new Logger(AddressIntake.name);

  constructor(
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(DepositAddresses) private readonly addresses: DepositAddresses,
    @Inject(DepositPayments) private readonly payments: DepositPayments,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
  ) {
    super();
  }

  override async receive(report: GatewayReport, message: InboxMessage): Promise<Intake | null> {
    const found = await this.find(report);
    if (found === null) return null;
    const cause = { ...causeOf(message), causationId: message.id };
    const { fresh } = await this.apply(found.address, report, message, { cause, witness: 'callback' });
    return { result: fresh ? 'applied' : 'duplicate', reason: null };
  }

  override async hear(report: GatewayReport, cause: Cause): Promise<boolean> {
    const found = await this.find(report);
    if (found === null) return false;
    await this.answered(found.address, report, cause);
    return true;
  }

  override async isAbout(report: GatewayReport): Promise<boolean> {
    return (await this.find(report)) !== null;
  }

  override async match(
    kept: StoredMessage,
    { report, content }: { report: GatewayReport; content: string },
    by: Pick<Cause, 'actor' | 'correlationId'>,
  ): Promise<string[] | null> {
    const found = await this.find(report);
    if (found === null) return null;
    const message = copyOf(kept, report.trackId, content);
    const cause = { ...by, causationId: message.id };
    const { told } = await this.apply(found.address, report, message, { cause, witness: 'callback' });
    await this.store.markMatched(null, kept.digest);
    return told;
  }

  /** Hears the gateway's own answer about an address. What tells nothing new leaves no trace at the address. */
  async answered(address: DepositAddress, report: GatewayReport, cause: Cause): Promise<void> {
    const id = this.ids.next();
    const body = Buffer.from(JSON.stringify(report));
    const receivedAt = this.clock.now();
    const message = messageOf({ id, source: pollSource, subject: report.trackId, content: body, body, receivedAt });
    const by = { cause: { ...cause, causationId: id }, witness: 'poll' as const };
    const news = depositsSeen(address, report, () => id, receivedAt).length > 0;
    if (news) await this.apply(address, report, message, by);
    else await this.payments.tell(address, report, message, by);
  }

  private async find(report: GatewayReport): Promise<LoadedAddress | null> {
    const found = await this.addresses.ofTrack(report.trackId);
    if (found === null || report.orderId === null || report.orderId === found.address.terms.id) return found;
    this.log.warn({ msg: 'a report about a deposit address names another order', trackId: report.trackId });
    return null;
  }

  private async apply(
    address: DepositAddress,
    report: GatewayReport,
    message: InboxMessage,
    by: { cause: Cause; witness: Witness },
  ): Promise<{ fresh: boolean; told: string[] }> {
    const decided = await this.addresses.decide(
      address.terms.id,
      by.cause,
      (current) => depositsSeen(current, report, () => this.ids.next(), message.receivedAt),
      { message },
    );
    // A message that was stored before may not have reached its payments.
    const now = decided.fresh ? decided.address : ((await this.addresses.find(address.terms.id))?.address ?? address);
    if (depositsIn(now, report).length === 0) return { fresh: decided.fresh, told: [] };
    return { fresh: decided.fresh, told: await this.payments.tell(now, report, message, by) };
  }
}
