import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { Clock } from '../kernel/clock.js';
import { Ids } from '../kernel/ids.js';
import { orderOf, type LinkTerms } from '../links/link.js';
import type { Terms } from '../payments/payment.js';
import { Policies } from '../payments/policies.pg.js';
import { inlinePolicy } from '../payments/policies.js';
import type { PinnedPolicy } from '../payments/policy.js';

/** What the pages of payment links need to know of this installation. */
export abstract class LinkSettings {
  /** What the service's pages are reached by, without a slash at the end. */
  abstract readonly publicUrl: string;
  abstract readonly sandbox: boolean;
}

/** Turns a visit of a link into the terms that a payment begins with. */
@Injectable()
export class LinkPaymentTerms {
  constructor(
    @Inject(Policies) private readonly policies: Policies,
    @Inject(Clock) private readonly clock: Clock,
    @Inject(Ids) private readonly ids: Ids,
    @Inject(LinkSettings) private readonly settings: LinkSettings,
  ) {}

  /** Throws `StoreUnavailable`. */
  async of(link: LinkTerms, visitor: string, amount: string): Promise<Terms> {
    const { id, applicationId, currency, customerId, description, returnUrl, lifetimeMinutes, metadata } = link;
    return {
      id: this.ids.next(),
      applicationId,
      orderId: orderOf(link, visitor),
      amount,
      currency,
      policy: await this.policyOf(link),
      customerId,
      description,
      email: null,
      returnUrl,
      lifetimeMinutes,
      useCredit: false,
      refundTo: null,
      remainderOf: null,
      metadata: { ...metadata, paymentLinkId: id },
      statusToken: randomBytes(24).toString('base64url'),
      sandbox: this.settings.sandbox,
      requestedAt: this.clock.now(),
    };
  }

  private async policyOf({ applicationId, policy }: LinkTerms): Promise<PinnedPolicy> {
    if (policy.name === inlinePolicy) return policy;
    const { name, version, rules } = (await this.policies.current(applicationId, policy.name)) ?? policy;
    return { name, version, rules };
  }
}
