import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../kernel/clock.js';
import { Ids } from '../kernel/ids.js';
import { decimalsOf } from '../kernel/money.js';
import { Refusal, type FieldError } from '../kernel/refusal.js';
import { Decimal } from '../payments/decimal.js';
import type { Terms } from '../payments/payment.js';
import { showAmount } from '../payments/payment-view.js';
import { PaymentStreams } from '../payments/payment-streams.pg.js';
import { Policies } from '../payments/policies.pg.js';
import type { PinnedPolicy } from '../payments/policy.js';
import type { RefundTarget } from '../payments/refund.js';
import { remainderDue } from '../payments/remainder.js';
import { policyOf } from './policy-of.js';
import type { CreatePaymentRequest, RefundAddress } from './requests.js';
import { ApiSettings } from './settings.js';

/** Turns what an application asks for into the terms that a payment begins with. */
@Injectable()
export class PaymentTerms {
  constructor(
    @Inject(Policies) private readonly policies: Policies,
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
    @Inject(ApiSettings) private readonly settings: ApiSettings,
  ) {}

  /** Throws `Refusal`: `invalid_request` with the fields at fault, `not_found` and `no_remainder` for `remainderOf`. */
  async of(applicationId: string, body: CreatePaymentRequest): Promise<Terms> {
    const { remainderOf } = body;
    const other = remainderOf ? await this.remainder(applicationId, remainderOf, body) : null;
    const wish = other ? { ...body, ...other.part } : body;
    const errors = faultsTogether(wish, this.settings.sandbox);
    if (errors.length > 0) throw invalid(errors);
    const policy = other ? other.terms.policy : await policyOf(this.policies, applicationId, body.policy);
    return this.termsOf(applicationId, wish, policy, other?.terms ?? null);
  }

  /** What is missing from another payment, and whatever the request says otherwise of the same is refused. */
  private async remainder(
    applicationId: string,
    id: string,
    body: CreatePaymentRequest,
  ): Promise<{ terms: Terms; part: Pick<Terms, 'orderId' | 'amount' | 'currency'> }> {
    const found = await this.streams.find(id);
    if (found?.payment.terms.applicationId !== applicationId)
      throw new Refusal('not_found', 'There is no payment with the id in remainderOf.');
    const { terms } = found.payment;
    const part = {
      orderId: terms.orderId,
      amount: showAmount(remainderDue(found.payment), terms.currency),
      currency: terms.currency,
    };
    const errors = (['orderId', 'currency'] as const)
      .filter((name) => (body[name] ?? part[name]) !== part[name])
      .map((name) => ({
        pointer: `/${name}`,
        detail: `is "${part[name]}" for the payment in remainderOf; leave it out`,
      }));
    if ((body.amount ?? null) !== null && !new Decimal(body.amount).eq(part.amount))
      errors.push({ pointer: '/amount', detail: `is not what is missing (${part.amount}); leave it out` });
    if ((body.policy ?? null) !== null)
      errors.push({ pointer: '/policy', detail: 'is that of the payment in remainderOf; leave it out' });
    if (errors.length > 0) throw invalid(errors);
    return { terms, part };
  }

  private termsOf(applicationId: string, body: CreatePaymentRequest, policy: PinnedPolicy, other: Terms | null): Terms {
    return {
      id: this.ids.next(),
      applicationId,
      orderId: body.orderId,
      amount: body.amount,
      currency: body.currency,
      customerId: body.customerId ?? other?.customerId ?? null,
      description: body.description ?? null,
      email: body.email ?? null,
      returnUrl: body.returnUrl ?? null,
      lifetimeMinutes: body.lifetimeMinutes ?? 60,
      policy,
      useCredit: body.useCredit ?? false,
      refundTo: body.refundTo ? refundTargetOf(body.refundTo) : (other?.refundTo ?? null),
      remainderOf: other?.id ?? null,
      metadata: body.metadata ?? {},
      statusToken: randomBytes(24).toString('base64url'),
      sandbox: this.settings.sandbox,
      requestedAt: this.clock.now(),
    };
  }
}

const invalid = (errors: FieldError[]): Refusal =>
  new Refusal('invalid_request', 'Some fields are not acceptable; see errors.', errors);

/** Field by field, so that the order in which a caller sends them makes no difference to what is stored. */
export const refundTargetOf = ({ address, network, currency, memo }: RefundAddress): RefundTarget => ({
  address,
  network,
  currency: currency ?? null,
  memo: memo ?? null,
});

/** What no field shows by itself: decimals that the currency has not, and plain http outside sandbox. */
function faultsTogether(body: CreatePaymentRequest, sandbox: boolean): FieldError[] {
  const { amount, currency, returnUrl, useCredit, customerId, remainderOf } = body;
  const errors: FieldError[] = [];
  if (useCredit && !customerId && !remainderOf)
    errors.push({ pointer: '/customerId', detail: 'is required with useCredit: whose credit is to be spent?' });
  const decimals = amount.split('.')[1]?.length ?? 0;
  if (decimals > decimalsOf(currency)) {
    errors.push({
      pointer: '/amount',
      detail: `has ${String(decimals)} decimals; ${currency} has ${String(decimalsOf(currency))}`,
    });
  }
  if (!sandbox && typeof returnUrl === 'string' && new URL(returnUrl).protocol !== 'https:') {
    errors.push({ pointer: '/returnUrl', detail: 'must begin with https://' });
  }
  return errors;
}
