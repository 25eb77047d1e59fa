import type { Language } from './language.js';
import { ar, fa, ru, zh } from './link-texts-east.js';
import { de, es, fr, tr } from './link-texts-west.js';

/** A heading and what it means for the payer. */
type Notice = readonly [heading: string, text: string];

/** What the pages of payment links say. Amounts come with their currency, isolated from the text's direction. */
export interface LinkTexts {
  payment: string;
  amount: string;
  proceed: string;
  next: string;
  between: (least: string, most: string) => string;
  atLeast: (least: string) => string;
  atMost: (most: string) => string;
  missing: string;
  malformed: string;
  grouped: string;
  /** An amount such as 1,000, and the two that may be meant. */
  ambiguous: (whole: string, decimal: string) => string;
  zero: string;
  decimals: (currency: string, most: number) => string;
  /** The gateway refused the amount. */
  refused: string;
  gone: Notice;
  unknown: Notice;
  /** Nobody else may pay by it. */
  paid: Notice;
  /** This visitor has paid; others, and they themselves, may pay again. */
  paidBefore: Notice;
  seePayment: string;
  payAgain: string;
  open: (amount: string) => Notice;
  goOn: string;
  payOther: string;
  payInstead: (amount: string) => string;
  unpayable: Notice;
  busy: (seconds: number) => Notice;
  down: Notice;
  foreign: Notice;
  failed: Notice;
  tryAgain: string;
  sandbox: string;
}

const en: LinkTexts = {
  payment: 'Payment',
  amount: 'Amount',
  proceed: 'Continue to payment',
  next: 'On the next page you choose a coin and see how to pay.',
  between: (least, most) => `From ${least} to ${most}.`,
  atLeast: (least) => `At least ${least}.`,
  atMost: (most) => `At most ${most}.`,
  missing: 'Enter the amount that you want to pay.',
  malformed: 'Enter the amount in digits, such as 25 or 25.50.',
  grouped: 'Leave out thousands separators: write 1000.50.',
  ambiguous: (whole, decimal) => `This can be read in two ways. Write ${whole} or ${decimal}.`,
  zero: 'The amount must be more than zero.',
  decimals: (currency, most) => `${currency} has at most ${String(most)} digits after the point.`,
  refused: 'The payment service did not accept this amount. Please choose another.',
  gone: ['This link is no longer valid', 'The shop has ended it. Please ask the shop for a new link.'],
  unknown: ['There is no such link', 'Please check the address, or ask the shop for the link again.'],
  paid: ['This link has been paid', 'It was for one payment, which is complete. Please do not pay again.'],
  paidBefore: ['You have paid', 'Your payment is complete. Thank you.'],
  seePayment: 'See the payment',
  payAgain: 'Pay once more',
  open: (amount) => ['You have an open payment', `It is for ${amount} and waits for your money.`],
  goOn: 'Continue with it',
  payOther: 'Pay another amount',
  payInstead: (amount) => `Pay ${amount} instead`,
  unpayable: ['This link cannot be paid now', 'The payment service did not accept it. Please tell the shop.'],
  busy: (seconds) => ['Too many payments at once', `Please try again in ${String(seconds)} seconds.`],
  down: ['The service is not available', 'Nothing was charged. Please try again in a moment.'],
  foreign: ['This came from another page', 'For your safety nothing was done. Please start here again.'],
  failed: ['That did not work', 'Nothing was charged. Please try again.'],
  tryAgain: 'Try again',
  sandbox: 'Sandbox: no real money moves.',
};

export const linkTexts: Readonly<Record<Language, LinkTexts>> = { en, tr, es, de, fr, ar, fa, ru, zh };
