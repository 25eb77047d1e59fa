import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../kernel/clock.js';
import { CustomerCredit, type CreditCause, type CreditRequest } from '../payments/customer-credit.js';
import { spendCredit } from './credit.js';
import { CreditAccounts } from './credit-streams.pg.js';

/**
 * The customers' credit as payments meet it. Each answer stands in the account's stream, "nothing" as well: a payment
 * that asks again, or twice at once, is told the same and cannot take money that it does not know of.
 */
@Injectable()
export class StreamCredit extends CustomerCredit {
  constructor(
    @Inject(CreditAccounts) private readonly accounts: CreditAccounts,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    super();
  }

  /** Throws `StoreUnavailable`, and `Conflict` where the account is never free; nothing was taken then. */
  async spend({ applicationId, ...request }: CreditRequest, cause: CreditCause): Promise<string> {
    const { customerId, currency, paymentId } = request;
    const { account } = await this.accounts.decide({ applicationId, customerId, currency }, cause, (current) =>
      spendCredit(current, request, this.clock.now()),
    );
    return account?.spends.get(paymentId)?.amount ?? '0';
  }
}
