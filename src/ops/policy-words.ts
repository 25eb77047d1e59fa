import { durationSeconds, type PolicyRules } from '../payments/policy.js';

/** The choices of a policy in words for people; the keys are the policy's own. */
export const paidWhenWords: Readonly<Record<PolicyRules['paidWhen']['rule'], string>> = {
  detected: 'the whole amount was seen',
  confirmations: 'every transfer has its confirmations',
  settled: 'the gateway says that it is paid',
};

export const underpaymentWords: Readonly<Record<PolicyRules['underpayment']['then'], string>> = {
  reject: 'the payment expires',
  partial_credit: 'it expires, what came is credited',
  review: 'a person is asked',
};

export const overpaymentWords: Readonly<Record<PolicyRules['overpayment']['then'], string>> = {
  credit: 'the excess is credited',
  refund: 'the excess is sent back',
  review: 'a person is asked',
  keep: 'the excess is kept',
};

export const latePaymentWords: Readonly<Record<PolicyRules['latePayment']['then'], string>> = {
  accept: 'it counts like money in time',
  credit: 'it is credited',
  refund: 'it is sent back',
  review: 'a person is asked',
};

/** Each clause of the rules as a sentence. */
export function sentencesOf({ paidWhen, underpayment, overpayment, latePayment }: PolicyRules): string[] {
  const paid =
    paidWhen.rule === 'confirmations'
      ? `every transfer has ${plural(paidWhen.count, 'confirmation')}`
      : paidWhenWords[paidWhen.rule];
  return [
    `Paid when ${paid}.`,
    `Short${beyond(underpayment.tolerancePercent)}: ${underpaymentWords[underpayment.then]}.`,
    `Too much${beyond(overpayment.tolerancePercent)}: ${overpaymentWords[overpayment.then]}.`,
    latePayment.then === 'review'
      ? 'Late: a person is asked.'
      : `Late by ${durationWords(latePayment.window)} at most: ${latePaymentWords[latePayment.then]}; later than that: a person is asked.`,
  ];
}

const beyond = (percent: string): string => (/^0(?:\.0+)?$/.test(percent) ? '' : ` by more than ${percent} %`);

const plural = (count: number, noun: string): string => `${String(count)} ${noun}${count === 1 ? '' : 's'}`;

function durationWords(window: string): string {
  const minutes = (durationSeconds(window) ?? 0) / 60;
  const parts: [number, string][] = [
    [Math.floor(minutes / 1440), 'day'],
    [Math.floor(minutes / 60) % 24, 'hour'],
    [minutes % 60, 'minute'],
  ];
  const told = parts.filter(([count]) => count > 0).map(([count, noun]) => plural(count, noun));
  return told.length === 0 ? '0 minutes' : told.join(' ');
}
