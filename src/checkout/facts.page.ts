import type { Instant } from '../kernel/clock.js';
import { allocationOf } from '../payments/allocation.js';
import { Decimal } from '../payments/decimal.js';
import { showAmount } from '../payments/payment-view.js';
import { isReportable, type Payment } from '../payments/payment.js';
import { missingOf, secondsLeft } from '../payments/standing.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import type { Language } from './language.js';
import { textsIn } from './languages/texts-in.js';
import { isAsking, type Situation } from './situation.js';
import { fill, lasting, ltr, momentIn } from './wording.js';

/** An amount in the payment's currency, as it is in every language. */
export const amountIn = (amount: string, { terms }: Payment): string =>
  `${showAmount(amount, terms.currency)} ${terms.currency}`;

interface Fact {
  name: string;
  value: Html;
  /** What became of it, in words. */
  how?: string;
  /** What the payer has to look at first. */
  strong?: boolean;
}

/** What was received, what is missing, how long there is, and where money went: one row each. */
export function facts(payment: Payment, situation: Situation, language: Language, now: Instant): Html {
  const rows = [
    ...creditFacts(payment, language),
    ...receivedFacts(payment, situation, language),
    ...timeFacts(payment, situation, language, now),
    ...whereabouts(payment, situation, language),
  ];
  if (rows.length === 0) return nothing;
  return html`<dl class="facts">
    ${rows.map(
      ({ name, value, how, strong }) =>
        html`<div class="${strong ? 'strong' : 'plain'}">
          <dt>${name}</dt>
          <dd>${value}${how === undefined ? nothing : html` <span class="how-so">${how}</span>`}</dd>
        </div>`,
    )}
  </dl>`;
}

function creditFacts(payment: Payment, language: Language): Fact[] {
  if (!isReportable(payment) || new Decimal(payment.credit).lte('0')) return [];
  const { facts: texts } = textsIn(language);
  return [
    { name: texts.byCredit, value: ltr(amountIn(payment.credit, payment)) },
    { name: texts.leftToPay, value: ltr(amountIn(payment.invoiced, payment)) },
  ];
}

function receivedFacts(payment: Payment, situation: Situation, language: Language): Fact[] {
  if (!isReportable(payment) || payment.money.transfers.length === 0) return [];
  const { facts: texts } = textsIn(language);
  const { received, estimated } = payment.money;
  const amount = received === null ? html`${texts.counting}` : ltr(amountIn(received, payment));
  const value = received !== null && estimated ? fill(texts.about, { amount }) : amount;
  const rows: Fact[] = [{ name: texts.received, value }];
  const missing = missingOf(payment);
  if (missing !== null && (situation === 'partial' || situation === 'elsewhere'))
    rows.push({ name: texts.missing, value: ltr(amountIn(missing, payment)), strong: situation === 'partial' });
  return rows;
}

function timeFacts(payment: Payment, situation: Situation, language: Language, now: Instant): Fact[] {
  if (!isReportable(payment) || !isAsking(situation)) return [];
  const { facts: texts } = textsIn(language);
  const { expiresAt } = payment.invoice;
  const left = html`<time class="countdown" datetime="${expiresAt}" data-until="${expiresAt}" data-now="${now}"
    >${lasting(secondsLeft(payment.invoice, now), language)}</time
  >`;
  const until = fill(texts.until, { time: momentIn(language, expiresAt) });
  return [{ name: texts.timeLeft, value: html`${left} <span class="how-so">${until}</span>`, strong: true }];
}

/** What became of money that the price did not need, or that did not reach it. */
function whereabouts(payment: Payment, situation: Situation, language: Language): Fact[] {
  const shares = allocationOf(payment);
  if (shares === null) return [];
  const { facts: texts } = textsIn(language);
  const isOver = situation === 'closed' || situation === 'rejected';
  const told: [string, string, string][] = [
    [texts.credited, shares.credited, texts.creditedHow],
    [texts.refunded, shares.refunded, texts.refundHow],
    [texts.refunding, shares.refunding, texts.refundHow],
    [texts.withShop, isOver ? shares.unallocated : '0', texts.withShopHow],
  ];
  return told
    .filter(([, amount]) => new Decimal(amount).gt('0'))
    .map(([name, amount, how]) => ({ name, value: ltr(amountIn(amount, payment)), how }));
}
