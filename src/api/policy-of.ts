import { Refusal } from '../kernel/refusal.js';
import type { Policies } from '../payments/policies.pg.js';
import { inlinePolicy } from '../payments/policies.js';
import { defaultPolicy, type PinnedPolicy, type PolicyRules } from '../payments/policy.js';
import type { PolicyRequest } from './requests.js';

/**
 * The policy that a payment is to carry: the newest version of a named one, one that came inline, or the application's
 * `default`, whose clauses also fill those that an inline policy leaves out. Throws `Refusal('invalid_request')` for a
 * name that the application has not defined.
 */
export async function policyOf(
  policies: Policies,
  applicationId: string,
  asked: string | PolicyRequest | null | undefined,
): Promise<PinnedPolicy> {
  // null is what a field that was left out may be sent as.
  if (asked === undefined || asked === null) return named(policies, applicationId, defaultPolicy.name);
  if (typeof asked === 'string') return named(policies, applicationId, asked);
  const { rules } = await named(policies, applicationId, defaultPolicy.name);
  return { name: inlinePolicy, version: 1, rules: rulesOf(asked, rules) };
}

async function named(policies: Policies, applicationId: string, asked: string): Promise<PinnedPolicy> {
  const found = await policies.current(applicationId, asked);
  if (!found) {
    const detail = `there is no policy named "${asked}": define it with PUT /v1/policies/${asked}, or send its rules here`;
    throw new Refusal('invalid_request', 'Some fields are not acceptable; see errors.', [
      { pointer: '/policy', detail },
    ]);
  }
  const { name, version, rules } = found;
  return { name, version, rules };
}

/** The rules that were asked for; a clause that was left out is that of `otherwise`. */
export function rulesOf(asked: PolicyRequest, otherwise: PolicyRules): PolicyRules {
  const { paidWhen, underpayment, overpayment, latePayment } = asked;
  return {
    paidWhen: paidWhen ? paidWhenOf(paidWhen) : otherwise.paidWhen,
    // Field by field, so that the order in which a caller sends them makes no difference to what is stored.
    underpayment: underpayment
      ? { tolerancePercent: underpayment.tolerancePercent, then: underpayment.then }
      : otherwise.underpayment,
    overpayment: overpayment
      ? { tolerancePercent: overpayment.tolerancePercent, then: overpayment.then }
      : otherwise.overpayment,
    latePayment: latePayment ? { window: latePayment.window, then: latePayment.then } : otherwise.latePayment,
  };
}

const paidWhenOf = ({ rule, count }: NonNullable<PolicyRequest['paidWhen']>): PolicyRules['paidWhen'] =>
  rule === 'confirmations' ? { rule, count: count ?? 1 } : { rule };
