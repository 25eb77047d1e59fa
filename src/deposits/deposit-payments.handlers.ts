import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { v5 } from 'uuid';
import { Clock } from '../kernel/clock.js';
import { statusScope } from '../payments/create-invoice.handlers.js';
import { depositOpened, depositPatienceMinutes } from '../payments/deposit.js';
import { reportUpon } from '../payments/gateway-event.handlers.js';
import type { GatewayReport } from '../payments/payment-gateway.js';
import { orderScope, PaymentStreams, type Cause, type LoadedPayment } from '../payments/payment-streams.pg.js';
import type { Terms, Witness } from '../payments/payment.js';
import { Policies } from '../payments/policies.pg.js';
import { defaultPolicy } from '../payments/policy.js';
import { Conflict, type InboxMessage } from '../platform/event-store/event-store.pg.js';
import { depositsIn, type DepositAddress, type DepositSeen } from './deposit-address.js';

/** The payments that transfers to addresses make: each begun once, and told what reports say of it. */
@Injectable()
export class DepositPayments {
  constructor(
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(Policies) private readonly policies: Policies,
    @Inject(Clock) private readonly clock: Clock,
  ) {}

  /** The payment of a deposit, begun where it was not yet. Whoever else does the same at the same moment counts as one. */
  async ensure(address: DepositAddress, seen: DepositSeen, cause: Cause): Promise<LoadedPayment> {
    const found = (await this.streams.find(seen.paymentId)) ?? (await this.begin(address, seen, cause));
    if (found.payment.status !== 'created') return found;
    return this.streams.decide(seen.paymentId, cause, (payment) => depositOpened(payment, this.clock.now()));
  }

  /** Tells each payment that a report speaks of; those for which it changes nothing keep no copy of it. Returns their ids. */
  async tell(
    address: DepositAddress,
    report: GatewayReport,
    message: InboxMessage,
    { cause, witness }: { cause: Cause; witness: Witness },
  ): Promise<string[]> {
    const told = depositsIn(address, report);
    for (const seen of told) {
      const loaded = await this.ensure(address, seen, cause);
      const claim = { witness, now: this.clock.now(), heardAt: message.receivedAt };
      if (reportUpon(loaded.payment, report, claim).length === 0) continue;
      const copy = { ...message, id: v5(message.id, seen.paymentId) };
      await this.streams.decide(
        seen.paymentId,
        { ...cause, causationId: copy.id },
        (payment, orderTaken) => reportUpon(payment, report, { ...claim, orderTaken }),
        { message: copy, loaded },
      );
    }
    return told.map(({ paymentId }) => paymentId);
  }

  private async begin(address: DepositAddress, seen: DepositSeen, cause: Cause): Promise<LoadedPayment> {
    const terms = await this.termsOf(address, seen);
    const keys = [
      { scope: orderScope(terms.applicationId), key: terms.orderId },
      { scope: statusScope, key: terms.statusToken },
    ];
    try {
      return await this.streams.begin({ type: 'PaymentRequested', data: terms }, cause, keys);
    } catch (error) {
      const other = error instanceof Conflict ? await this.streams.find(terms.id) : null;
      if (other === null) throw error;
      return other;
    }
  }

  private async termsOf({ terms, opened }: DepositAddress, seen: DepositSeen): Promise<Terms> {
    if (opened === null) throw new Error(`address ${terms.id} has seen a deposit before it was opened`);
    const { applicationId, customerId, sandbox } = terms;
    const { name, version, rules } = (await this.policies.current(applicationId, defaultPolicy.name)) ?? defaultPolicy;
    const { transfer, afterRevocation, paymentId } = seen;
    return {
      id: paymentId,
      applicationId,
      orderId: `deposit-${paymentId}`,
      amount: transfer.sentAmount,
      currency: transfer.currency,
      customerId,
      description: null,
      email: null,
      returnUrl: null,
      lifetimeMinutes: depositPatienceMinutes,
      policy: { name, version, rules },
      metadata: {},
      deposit: {
        addressId: terms.id,
        trackId: opened.trackId,
        address: opened.address,
        memo: opened.memo,
        network: opened.network,
        transfer,
        afterRevocation,
      },
      statusToken: randomBytes(24).toString('base64url'),
      sandbox,
      requestedAt: this.clock.now(),
    };
  }
}
