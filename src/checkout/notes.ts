import type { Instant } from '../kernel/clock.js';
import { allocationOf } from '../payments/allocation.js';
import { Decimal } from '../payments/decimal.js';
import { labelsOf, type Label } from '../payments/standing.js';
import type { Payment } from '../payments/payment.js';
import { html, type Html } from '../platform/http/html.js';
import type { Language } from './language.js';
import { textsIn } from './languages/texts-in.js';
import { lateInWords, lessInWords, moreInWords } from './policy-words.js';
import type { Situation } from './situation.js';
import { counted, spaced } from './wording.js';

/** A sentence or two for each label of a payment, in the order of the labels. */
export function notesOf(payment: Payment, situation: Situation, language: Language, now: Instant): Html[] {
  const { notes } = textsIn(language);
  const transfers = 'money' in payment ? payment.money.transfers.filter(({ status }) => status !== 'failed') : [];
  // A person's decision stands above the policy's rule, and what has been done needs no rule any more.
  const ruled = situation !== 'in_review' && situation !== 'rejected' && isUndecided(payment);
  const withRule = (text: string, rule: Html[]): Html => spaced([html`${text}`, ...(ruled ? rule : [])]);
  const words: Readonly<Record<Label, () => Html>> = {
    underpaid: () => withRule(notes.underpaid, lessInWords(payment, language).slice(-1)),
    overpaid: () => withRule(notes.overpaid, moreInWords(payment, language).slice(-1)),
    late: () => withRule(notes.late, lateInWords(payment, language, now)),
    multiple_transfers: () => counted(notes.multiple, language, transfers.length),
    mixed_currency: () => html`${notes.mixed}`,
    within_tolerance: () => html`${notes.tolerated}`,
    manually_accepted: () => html`${notes.accepted}`,
    refunded: () => html`${notes.refunded}`,
    partially_refunded: () => html`${notes.partlyRefunded}`,
    credited: () => html`${notes.credited}`,
    gateway_conflict: () => html`${notes.conflict}`,
    sandbox: () => html`${notes.sandbox}`,
  };
  return labelsOf(payment).map((label) => words[label]());
}

/** Whether it is still open what becomes of some of the money. */
function isUndecided(payment: Payment): boolean {
  const shares = allocationOf(payment);
  return shares === null || new Decimal(shares.unallocated).gt('0');
}
