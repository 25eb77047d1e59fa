import type { PayoutReport } from '../payments/payment-gateway.js';
import { readReference, type Refund } from '../payments/refund.js';
import { difference, isSame, money, type Outcome } from './match.js';

/*
 * One refund in our events, and the payout that it went by.
 */

const failed: ReadonlySet<PayoutReport['status']> = new Set(['failed', 'rejected', 'canceled']);

const isUnderWay = ({ status }: Refund): boolean => status !== 'confirmed' && status !== 'failed';

/** Holds a refund of ours against its payout; null where there is none on that side. */
export function matchRefund(paymentId: string, refund: Refund | null, payout: PayoutReport | null): Outcome {
  const trackId = payout?.trackId ?? refund?.trackId ?? null;
  const here = refund === null ? 'nothing' : ofRefund(refund);
  const there = payout === null ? 'nothing' : ofPayout(payout);
  const sentence = refund === null ? null : faultOf(refund, payout);
  const about = { paymentId, trackId };
  const differences =
    refund === null
      ? [
          difference('payout_without_refund', about, {
            here,
            there,
            sentence: 'The gateway has a payout of a refund that is not known here.',
          }),
        ]
      : sentence === null
        ? []
        : [difference('refund_differs', about, { here, there, sentence })];
  return { differences, explained: [], totals: [...sentHere(refund), ...sentThere(payout)] };
}

/** A payout that bears no reference of ours. */
export const otherPayout = (payout: PayoutReport): Outcome => ({
  differences: [],
  explained: [
    { code: 'other_payout', paymentId: null, trackId: payout.trackId, sentence: `No refund: ${ofPayout(payout)}.` },
  ],
  totals: [],
});

/** Which refund a payout names; null where it names none. */
export const refundNamedBy = ({ description }: PayoutReport): { paymentId: string; number: number } | null =>
  description === null ? null : readReference(description);

const sentHere = (refund: Refund | null): Outcome['totals'] =>
  refund === null || refund.trackId === null || refund.status === 'failed'
    ? []
    : [{ what: 'refunded', currency: refund.payout.currency, here: refund.payout.amount, there: '0' }];

const sentThere = (payout: PayoutReport | null): Outcome['totals'] =>
  payout === null || failed.has(payout.status)
    ? []
    : [{ what: 'refunded', currency: payout.currency, here: '0', there: payout.amount }];

const ofRefund = ({ number, status, payout }: Refund): string =>
  `refund ${String(number)}, ${status}: ${money(payout.amount, payout.currency)} to ${payout.address}`;

const ofPayout = ({ status, amount, currency, address }: PayoutReport): string =>
  `payout, ${status}: ${money(amount, currency)} to ${address}`;

function faultOf(refund: Refund, payout: PayoutReport | null): string | null {
  if (payout === null) return 'The gateway does not know the payout of this refund.';
  if (refund.trackId !== null && refund.trackId !== payout.trackId)
    return `The refund went by payout ${refund.trackId}, and another one bears its reference.`;
  if (refund.payout.currency !== payout.currency || !isSame(refund.payout.amount, payout.amount))
    return 'Another amount was sent than was to be sent.';
  if (refund.payout.address !== payout.address) return 'It was sent to another address than it was to go to.';
  if (refund.status === 'failed' && !failed.has(payout.status)) return 'It failed here, and was sent all the same.';
  if (refund.status === 'confirmed' && failed.has(payout.status)) return 'It is confirmed here, and was never sent.';
  if (isUnderWay(refund) && (failed.has(payout.status) || payout.status === 'confirmed'))
    return 'How it ended at the gateway was not heard of here.';
  return refund.trackId === null ? 'It was sent, and its answer is not known here.' : null;
}
