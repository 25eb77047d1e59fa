import type { Instant } from '../kernel/clock.js';
import { Decimal } from '../payments/decimal.js';
import { isReportable, type Payment } from '../payments/payment.js';
import { durationSeconds } from '../payments/policy.js';
import { lateUntil } from '../payments/standing.js';
import type { Html } from '../platform/http/html.js';
import { html } from '../platform/http/html.js';
import type { Language } from './language.js';
import { textsIn } from './languages/texts-in.js';
import { fill, lasting, ltr } from './wording.js';

/*
 * A payment's own policy in plain words. Where it wants to credit a customer whom nobody named, or to refund to an address
 * that nobody gave, a person decides: nothing else is promised then.
 */

const isSome = (percent: string): boolean => new Decimal(percent).gt('0');

/** What happens where too little arrives. */
export function lessInWords({ terms }: Payment, language: Language): Html[] {
  const { policy } = textsIn(language);
  const { tolerancePercent, then } = terms.policy.rules.underpayment;
  const credit = terms.customerId === null ? policy.less.review : policy.less.credit;
  const words = { reject: policy.less.reject, partial_credit: credit, review: policy.less.review }[then];
  const tolerated = isSome(tolerancePercent) ? [fill(policy.lessTolerated, { percent: ltr(tolerancePercent) })] : [];
  return [...tolerated, html`${words}`];
}

/** What happens where too much arrives. */
export function moreInWords({ terms }: Payment, language: Language): Html[] {
  const { policy } = textsIn(language);
  const { tolerancePercent, then } = terms.policy.rules.overpayment;
  const { keep, review } = policy.more;
  const credit = terms.customerId === null ? review : policy.more.credit;
  const words = { keep, credit, refund: terms.refundTo ? policy.more.refund : review, review }[then];
  // Where all of it stays, a tolerance changes nothing.
  const tolerated = isSome(tolerancePercent) && then !== 'keep';
  return [...(tolerated ? [fill(policy.moreTolerated, { percent: ltr(tolerancePercent) })] : []), html`${words}`];
}

/** What happens to money that arrives now that it is late, or would be. */
export function lateInWords(payment: Payment, language: Language, now: Instant): Html[] {
  const { terms } = payment;
  const { late } = textsIn(language).policy;
  const { window, then } = terms.policy.rules.latePayment;
  const seconds = durationSeconds(window) ?? 0;
  const isOver = seconds === 0 || (isReportable(payment) && now > lateUntil(payment));
  const byPerson =
    then === 'review' ||
    (then === 'credit' && terms.customerId === null) ||
    (then === 'refund' && !terms.refundTo) ||
    isOver;
  return [byPerson ? html`${late.review}` : fill(late[then], { window: lasting(seconds, language) })];
}
