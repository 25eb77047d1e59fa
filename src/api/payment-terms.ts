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

type Price = Pick<Terms, 'orderId' | 'amount' | 'currency'>;

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
    const price = other?.price ?? priceOf(body);
    const errors = faultsTogether(price, body, this.settings.sandbox);
    if (errors.length > 0) throw invalid(errors);
    const policy = other ? other.terms.policy : await policyOf(this.policies, applicationId, body.policy);
    return this.termsOf(applicationId, { ...price, policy }, body, other?.terms ?? null);
  }

  /** What is missing from another payment, and whatever the request says otherwise of the same is refused. */
  private async remainder(
    applicationId: string,
    id: string,
    body: CreatePaymentRequest,
  ): Promise<{ terms: Terms; price: Price }> {
    const found = await this.streams.find(id);
    if (found?.payment.terms.applicationId !== applicationId)
      throw new Refusal('not_found', 'There is no payment with the id in remainderOf.');
    const { terms } = found.payment;
    const { orderId, currency } = terms;
    const price = { orderId, amount: showAmount(remainderDue(found.payment), currency), currency };
    const errors = differences(body, price);
    if (errors.length > 0) throw invalid(errors);
    return { terms, price };
  }

  private termsOf(
    applicationId: string,
    agreed: Price & { policy: PinnedPolicy },
    body: CreatePaymentRequest,
    other: Terms | null,
  ): Terms {
    return {
      id: this.ids.next(),
      applicationId,
      ...agreed,
      customerId: body.customerId ?? other?.customerId ?? null,
      description: body.description ?? null,
      email: body.email ?? null,
      returnUrl: body.returnUrl ?? null,
      lifetimeMinutes: body.lifetimeMinutes ?? 60,
      useCredit: body.useCredit ?? false,
      refundTo: body.refundTo ? refundTargetOf(body.refundTo) : (other?.refundTo ?? null),
      remainderOf: other?.id ?? null,
      ...(body.payCurrency ? { embedded: { currency: body.payCurrency, network: body.network ?? null } } : {}),
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

/** Validation lets them be left out only with `remainderOf`. */
function priceOf({ orderId, amount, currency }: CreatePaymentRequest): Price {
  if (orderId !== undefined && amount !== undefined && currency !== undefined) return { orderId, amount, currency };
  throw new TypeError('a payment without orderId, amount and currency passed the validation');
}

/** What a request for a remainder says otherwise than the payment that it is of. */
function differences(body: CreatePaymentRequest, price: Price): FieldError[] {
  const errors: FieldError[] = [];
  for (const name of ['orderId', 'currency'] as const) {
    const given: string | null | undefined = body[name];
    if (typeof given === 'string' && given !== price[name])
      errors.push({ pointer: `/${name}`, detail: `is "${price[name]}" for the payment in remainderOf; leave it out` });
  }
  const { amount, policy }: { amount?: string | null; policy?: unknown } = body;
  if (typeof amount === 'string' && !new Decimal(amount).eq(price.amount))
    errors.push({ pointer: '/amount', detail: `is not what is missing (${price.amount}); leave it out` });
  if (policy !== undefined && policy !== null)
    errors.push({ pointer: '/policy', detail: 'is that of the payment in remainderOf; leave it out' });
  return errors;
}

/** What no field shows by itself: decimals that the currency has not, and plain http outside sandbox. */
function faultsTogether({ amount, currency }: Price, body: CreatePaymentRequest, sandbox: boolean): FieldError[] {
  const { returnUrl, useCredit, customerId, remainderOf } = body;
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
  errors.push(...presentationFaults(body));
  if (!sandbox && typeof returnUrl === 'string' && new URL(returnUrl).protocol !== 'https:') {
    errors.push({ pointer: '/returnUrl', detail: 'must begin with https://' });
  }
  return errors;
}

/** The coin is the payer's to choose on the gateway's page, and ours to name on a page of our own. */
function presentationFaults({ presentation, payCurrency, network }: CreatePaymentRequest): FieldError[] {
  if (presentation === 'embedded')
    return payCurrency
      ? []
      : [
          {
            pointer: '/payCurrency',
            detail: 'is required with presentation "embedded": which coin is the address for?',
          },
        ];
  const given = { payCurrency, network };
  return Object.entries(given)
    .filter(([, value]) => (value ?? null) !== null)
    .map(([name]) => ({ pointer: `/${name}`, detail: 'is for presentation "embedded" alone; leave it out' }));
}
