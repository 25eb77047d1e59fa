import { Inject, Injectable } from '@nestjs/common';
import { decimalsOf, isFiat } from '../kernel/money.js';
import { Refusal, type FieldError } from '../kernel/refusal.js';
import type { LinkTerms } from '../links/link.js';
import { amountFault } from '../links/link-amount.js';
import { Decimal } from '../payments/decimal.js';
import { GatewayUnavailable, PaymentGateway } from '../payments/payment-gateway.js';
import { Policies } from '../payments/policies.pg.js';
import type { CreatePaymentLinkRequest } from './payment-link-request.js';
import { policyOf } from './policy-of.js';
import { ApiSettings } from './settings.js';

type Wish = Omit<LinkTerms, 'id' | 'slug'>;

/** The key of the metadata by which a payment says which link opened it. */
const linkKey = 'paymentLinkId';
/** One less than a payment may have: that one is ours. */
const ownKeysAtMost = 19;

/** Turns what an application asks for into the terms of a link. */
@Injectable()
export class PaymentLinkTerms {
  constructor(
    @Inject(Policies) private readonly policies: Policies,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
    @Inject(ApiSettings) private readonly settings: ApiSettings,
  ) {}

  /** Throws `Refusal('invalid_request')` with the fields at fault. */
  async of(applicationId: string, body: CreatePaymentLinkRequest): Promise<Wish> {
    const errors = [...amountFaults(body), ...otherFaults(body, this.settings.sandbox)];
    if (!(await this.isKnown(body.currency)))
      errors.push({ pointer: '/currency', detail: `the gateway knows no currency ${body.currency}` });
    if (errors.length > 0) throw new Refusal('invalid_request', 'Some fields are not acceptable; see errors.', errors);
    return {
      applicationId,
      amount: body.amount ?? null,
      minAmount: body.minAmount ?? null,
      maxAmount: body.maxAmount ?? null,
      currency: body.currency,
      description: body.description,
      singleUse: body.singleUse ?? false,
      policy: await policyOf(this.policies, applicationId, body.policy),
      lifetimeMinutes: body.lifetimeMinutes ?? 60,
      returnUrl: body.returnUrl ?? null,
      customerId: body.customerId ?? null,
      metadata: body.metadata ?? {},
    };
  }

  /** Nobody is there to read a refusal of the gateway when a payer opens the link, so a coin is looked up at once. */
  private async isKnown(currency: string): Promise<boolean> {
    if (isFiat(currency)) return true;
    try {
      return (await this.gateway.prices()).has(currency);
    } catch (error) {
      if (error instanceof GatewayUnavailable) return true;
      throw error;
    }
  }
}

function amountFaults({ amount, minAmount, maxAmount, currency }: CreatePaymentLinkRequest): FieldError[] {
  const given = Object.entries({ amount, minAmount, maxAmount }).filter(([, value]) => (value ?? null) !== null);
  const errors = given.flatMap(([name, value]) =>
    amountFault(value ?? '', { currency, minAmount: null, maxAmount: null }) === 'decimals'
      ? [{ pointer: `/${name}`, detail: `has more decimals than ${currency} has (${String(decimalsOf(currency))})` }]
      : [],
  );
  const bounds = given.filter(([name]) => name !== 'amount');
  if ((amount ?? null) !== null)
    errors.push(
      ...bounds.map(([name]) => ({ pointer: `/${name}`, detail: 'goes with a link whose payer chooses the amount' })),
    );
  else if (minAmount && maxAmount && new Decimal(minAmount).gt(maxAmount))
    errors.push({ pointer: '/maxAmount', detail: 'is less than minAmount' });
  return errors;
}

function otherFaults({ returnUrl, metadata, description }: CreatePaymentLinkRequest, sandbox: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (description.trim() === '') errors.push({ pointer: '/description', detail: 'must say what is paid for' });
  if (!sandbox && typeof returnUrl === 'string' && new URL(returnUrl).protocol !== 'https:')
    errors.push({ pointer: '/returnUrl', detail: 'must begin with https://' });
  const keys = Object.keys(metadata ?? {});
  if (keys.includes(linkKey))
    errors.push({ pointer: `/metadata/${linkKey}`, detail: 'is set by the service; leave it out' });
  else if (keys.length > ownKeysAtMost)
    errors.push({ pointer: '/metadata', detail: `must have at most ${String(ownKeysAtMost)} keys: one is ours` });
  return errors;
}
