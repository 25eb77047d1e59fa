import type { Situation } from '../situation.js';

/** One text for each form of a number that the language has (CLDR plural rules). */
export type Plural = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string };

/** A heading, what to know and do now, and what to do where it takes longer. */
export interface Story {
  heading: string;
  lead: string;
  longer: string;
}

/**
 * All that the payer's pages say, in one language. What stands in braces is put in; a translation keeps every placeholder,
 * and promises no more than the English text.
 */
export interface Texts {
  /** What the pages are about, for the title of those that are about nothing. */
  payment: string;
  stories: Readonly<Record<Situation, Story>>;
  steps: {
    label: string;
    seen: string;
    confirming: string;
    complete: string;
    notSeen: string;
    /** {count} */
    seenCount: Plural;
    notYet: string;
    notNeeded: string;
    confirmed: string;
    unconfirmed: string;
    /** {count} {needed}; the form is that of {needed}. */
    confirmationsOf: Plural;
    /** {count} */
    confirmationsSoFar: Plural;
    done: string;
    checking: string;
    waitsForShop: string;
    closed: string;
    givenBack: string;
  };
  facts: {
    byCredit: string;
    leftToPay: string;
    received: string;
    missing: string;
    timeLeft: string;
    /** {time} */
    until: string;
    /** {amount} */
    about: string;
    counting: string;
    credited: string;
    creditedHow: string;
    refunded: string;
    refunding: string;
    refundHow: string;
    withShop: string;
    withShopHow: string;
  };
  pay: {
    title: string;
    now: string;
    scan: string;
    address: string;
    network: string;
    memo: string;
    memoWarning: string;
    amount: string;
    /** {amount} {currency} */
    amountIn: string;
    /** {currency} {network} */
    only: string;
    copy: string;
    copied: string;
  };
  transactions: {
    title: string;
    failed: string;
    late: string;
    id: string;
    explorer: string;
    newWindow: string;
  };
  longer: string;
  policy: {
    title: string;
    /** {percent} */
    lessTolerated: string;
    less: { reject: string; credit: string; review: string };
    /** {percent} */
    moreTolerated: string;
    more: { keep: string; credit: string; refund: string; review: string };
    /** {window} */
    late: { accept: string; credit: string; refund: string; review: string };
  };
  notes: {
    underpaid: string;
    overpaid: string;
    late: string;
    /** {count} */
    multiple: Plural;
    mixed: string;
    tolerated: string;
    accepted: string;
    refunded: string;
    partlyRefunded: string;
    credited: string;
    conflict: string;
    sandbox: string;
  };
  past: {
    /** {time} */
    known: string;
    /** {seen} {known} */
    learned: string;
  };
  again: string;
  back: string;
  language: string;
  unknown: { heading: string; lead: string };
}
