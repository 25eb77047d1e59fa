import { addMinutes, type Instant } from '../kernel/clock.js';
import { corroborationPatienceMinutes, silencePatienceMinutes } from './decisions.js';
import { factsOf, isReportable, type Paid, type Payment, type Reportable } from './payment.js';
import { openReviewOf } from './money.js';
import { judge, type Blocker } from './policy.js';
import type { ReviewReason } from './review-reasons.js';
import { isCreditedDeposit, isFulfillable, isHeld, isReturned, lateUntil, missingOf } from './standing.js';

/**
 * The verdict on a payment as it stands: the rule's own (`judge`), which also decided, and what stands around it. The
 * explanation, the command line and the payer's page all tell it, each in its words.
 */
export interface PaymentVerdict {
  /** Whether the goods may be delivered; of a deposit, whether the customer has it to their credit. */
  complete: boolean;
  blockedBy: Blocker | null;
  /** Who has to act for it to go on; null where nobody has to. */
  waitingOn: 'payer' | 'network' | 'gateway' | 'merchant' | 'service' | null;
  /** What is still missing, in the payment's currency; null where nothing is, or where nobody can say. */
  missing: string | null;
  /** When the wait ends, or a person is asked; null where no time is set. */
  deadline: Instant | null;
  /** The clause of the policy that decides, as a path into it; or `create`, `cancel`, `credit`, `review`. */
  clause: string;
  /** What a person is asked, where one is. */
  reasons: ReviewReason[];
}

type Core = Omit<PaymentVerdict, 'complete' | 'missing' | 'reasons'>;

export function verdictOf(payment: Payment): PaymentVerdict {
  const reasons = 'money' in payment ? (openReviewOf(payment.money)?.reasons ?? []) : [];
  return {
    ...coreOf(payment),
    complete: isFulfillable(payment) || isCreditedDeposit(payment),
    missing: missingOf(payment),
    reasons,
  };
}

function coreOf(payment: Payment): Core {
  switch (payment.status) {
    case 'created':
      return ofCreated(payment);
    case 'paid':
      return ofPaid(payment);
    case 'pending':
      return ofHeld(payment) ?? ofPending(payment);
    case 'expired':
      return ofHeld(payment) ?? ofExpired(payment);
    case 'failed':
      return payment.reason === 'refused'
        ? closed('refused', 'create')
        : (ofHeld(payment) ?? closed(payment.reason, payment.reason === 'cancelled' ? 'cancel' : 'review'));
  }
}

const closed = (blockedBy: Blocker, clause: string): Core => ({ blockedBy, waitingOn: null, deadline: null, clause });

const ofCreated = ({ opening, terms }: Extract<Payment, { status: 'created' }>): Core => ({
  blockedBy: 'invoice_not_open',
  waitingOn: opening.outcome === null ? 'service' : 'gateway',
  deadline: addMinutes(terms.requestedAt, terms.lifetimeMinutes),
  clause: 'create',
});

/** A person has to decide; nothing ends that wait by itself. */
function ofHeld(payment: Payment): Core | null {
  if (!isHeld(payment)) return null;
  const clause = isReportable(payment) ? judge(factsOf(payment)).clause : 'review';
  return { blockedBy: 'in_review', waitingOn: 'merchant', deadline: null, clause };
}

function ofPaid(payment: Paid): Core {
  const { clause } = payment;
  const held = ofHeld(payment);
  if (held) return { ...held, clause };
  if (payment.denied) return closed('rejected', 'review');
  const { gatewayStatus } = payment.money;
  if (gatewayStatus === 'refunded' || gatewayStatus === 'refunding' || isReturned(payment))
    return { ...closed('refunded', clause), waitingOn: 'merchant' };
  if (payment.corroboratedAt === null && payment.waivedAt === null)
    return { blockedBy: 'not_corroborated', waitingOn: 'gateway', deadline: corroborationEnd(payment), clause };
  if (payment.terms.deposit && !isCreditedDeposit(payment))
    return { blockedBy: 'not_credited', waitingOn: 'gateway', deadline: lateUntilOf(payment), clause };
  const part = payment.terms.remainderOf ? 'part_of_another' : null;
  return { blockedBy: part, waitingOn: null, deadline: null, clause };
}

/** A deposit that the gateway does not call confirmed is looked at for so long. */
const lateUntilOf = (payment: Paid): Instant | null => (isReportable(payment) ? lateUntil(payment) : null);

/** When a person is asked about a callback that the gateway itself does not confirm, or the callback alone will do. */
function corroborationEnd({ paidAt, delay }: Paid): Instant {
  const silent = delay?.reason === 'silent';
  if (silent && delay.goAheadAt !== null) return delay.goAheadAt;
  return addMinutes(paidAt, silent ? silencePatienceMinutes : corroborationPatienceMinutes);
}

function ofPending(payment: Reportable): Core {
  const { blockedBy, waitingOn, clause, late } = judge(factsOf(payment));
  const deadline = late ? lateUntil(payment) : pendingDeadline(payment, blockedBy, waitingOn);
  return { blockedBy, waitingOn, clause, deadline };
}

/** The payer has until the invoice closes; for the network and the gateway a person is asked once the late window has. */
function pendingDeadline(payment: Reportable, blockedBy: Blocker | null, waitingOn: Core['waitingOn']): Instant {
  if (blockedBy === 'remainder_open') {
    const open = payment.money.remainders.find(({ outcome }) => outcome === 'open');
    if (open) return open.until;
  }
  return waitingOn === 'payer' ? payment.invoice.expiresAt : lateUntil(payment);
}

/** Expired is an end, but late money is still judged while its window is open. */
function ofExpired(payment: Extract<Payment, { status: 'expired' }>): Core {
  const { latePayment } = payment.terms.policy.rules;
  return { ...closed('expired', payment.clause), deadline: latePayment.then === 'accept' ? lateUntil(payment) : null };
}
