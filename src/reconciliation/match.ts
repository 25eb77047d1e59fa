import type { Instant } from '../kernel/clock.js';
import { Decimal, plain } from '../payments/decimal.js';

/*
 * The daily match: what our events say, what the gateway's history says, and what the ledger of credit says are three
 * books about the same money. A difference is one of facts: money, identity, or a status that nothing here explains.
 */

/** Every kind of difference, with what to do about it. */
export const advice = {
  missing_here:
    'See whose it is at the gateway. Where it is ours, `finality reconcile` adopts it by its order id; else tell who opened it to use order ids of another shape.',
  missing_at_gateway: 'Ask the gateway for this track id: money sent to its address may be lost from sight.',
  unreadable:
    'Run `finality verify --payment <id>`: its events are not what was written, and nothing could be compared.',
  identity_differs: 'Two invoices name one payment. See at the gateway which one was paid, and refund what came twice.',
  status_differs: 'Run `finality reconcile --payment <id>`, then `finality explain <id>`.',
  amount_differs: 'The gateway asks for another price than was agreed: see who changed it there.',
  currency_differs: 'The gateway asks in another currency than was agreed: see who changed it there.',
  received_differs:
    'Run `finality reconcile --payment <id>`; where it stays, hold the transactions of both sides against the chain.',
  credit_not_booked:
    'Run `finality doctor`: the follower customer_credit books it. Where that is well, `finality verify` tells whether an entry was taken away.',
  credit_differs: 'Run `finality verify`: an entry of the ledger, or the event behind it, is not what was written.',
  booked_without_cause: 'Run `finality verify`: a customer has credit that no payment gave.',
  booked_twice: 'Run `finality verify`: one event was booked more than once.',
  ledger_unbalanced: 'Run `finality verify`: the account lacks an entry, or has one that was changed.',
  refund_differs: 'See the payout at the gateway; `finality explain <id>` says what is known of the refund here.',
  payout_without_refund: 'A payout bears our reference and no refund here stands behind it: see who sent it.',
} as const;

export type DifferenceKind = keyof typeof advice;

export interface Difference {
  kind: DifferenceKind;
  paymentId: string | null;
  /** The gateway's id of the payment or payout. */
  trackId: string | null;
  /** What our events say, and what the other book says. */
  here: string;
  there: string;
  sentence: string;
  advice: string;
}

/** Why two books may tell differently of the same facts. */
export type Explanation =
  /** The gateway's status is known here, and our policy or a person judged the payment otherwise. */
  | 'judged_here'
  /** It was closed here while the gateway still waits for money. */
  | 'closed_here_first'
  /** There is no invoice: not opened yet, refused, cancelled before, or paid by credit. */
  | 'no_invoice'
  /** An invoice whose answer was lost, of a payment whose address we show: nobody has seen this one's, and nothing came. */
  | 'left_behind'
  /** Its order id is none of ours: another system uses the same account. */
  | 'other_system'
  /** A payout that no refund asked for. */
  | 'other_payout';

export interface Explained {
  code: Explanation;
  paymentId: string | null;
  trackId: string | null;
  sentence: string;
}

/**
 * What is summed up. `invoiced`: prices that the gateway asks for; `received`: coins that came; `refunded`: coins that
 * went back; these against the gateway. The credits: what payments gave, took and released, against the ledger.
 */
export type Summed = 'invoiced' | 'received' | 'refunded' | 'credit_granted' | 'credit_applied' | 'credit_released';

/** One sum in one currency on both sides, plain decimals. */
export interface Total {
  what: Summed;
  currency: string;
  here: string;
  there: string;
}

/** What holding two books against each other at one place gave. */
export interface Outcome {
  differences: Difference[];
  explained: Explained[];
  totals: Total[];
}

export interface MatchReport {
  /** `2026-01-31`, UTC. */
  day: string;
  madeAt: Instant;
  /** Whether all three books were read to their end, after the day had ended. */
  complete: boolean;
  /** `credits`: payments whose credit moved; `accounts`: of customers, in one currency each. */
  compared: { payments: number; refunds: number; credits: number; accounts: number };
  totals: Total[];
  /** The first thousand. */
  differences: Difference[];
  differenceCount: number;
  /** The first thousand. */
  explained: Explained[];
  explainedCount: number;
}

export const difference = (
  kind: DifferenceKind,
  about: { paymentId: string | null; trackId: string | null },
  told: { here: string; there: string; sentence: string },
): Difference => ({
  kind,
  paymentId: about.paymentId,
  trackId: about.trackId,
  ...told,
  advice: advice[kind].replaceAll('<id>', about.paymentId ?? '<id>'),
});

export const money = (amount: string, currency: string): string => `${plain(new Decimal(amount))} ${currency}`;

export const isSame = (a: string, b: string): boolean => new Decimal(a).eq(b);

const listedAtMost = 1000;

/** Gathers the outcomes of a day. What it keeps is bounded; what it counts is not. */
export class Matching {
  readonly compared: MatchReport['compared'] = { payments: 0, refunds: 0, credits: 0, accounts: 0 };
  private readonly sums = new Map<string, Total>();
  private readonly differences: Difference[] = [];
  private readonly explained: Explained[] = [];
  private differenceCount = 0;
  private explainedCount = 0;

  add({ differences, explained, totals }: Outcome, what: keyof MatchReport['compared']): void {
    this.compared[what] += 1;
    this.differenceCount += differences.length;
    this.explainedCount += explained.length;
    this.differences.push(...differences.slice(0, listedAtMost - this.differences.length));
    this.explained.push(...explained.slice(0, listedAtMost - this.explained.length));
    for (const total of totals) this.sum(total);
  }

  private sum({ what, currency, here, there }: Total): void {
    const key = `${what} ${currency}`;
    const known = this.sums.get(key) ?? { what, currency, here: '0', there: '0' };
    this.sums.set(key, {
      ...known,
      here: plain(new Decimal(known.here).plus(here)),
      there: plain(new Decimal(known.there).plus(there)),
    });
  }

  report(day: string, madeAt: Instant, complete: boolean): MatchReport {
    return {
      day,
      madeAt,
      complete,
      compared: { ...this.compared },
      totals: [...this.sums].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, total]) => total),
      differences: this.differences,
      differenceCount: this.differenceCount,
      explained: this.explained,
      explainedCount: this.explainedCount,
    };
  }
}
