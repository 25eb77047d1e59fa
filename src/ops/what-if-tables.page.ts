import { html, nothing, type Html } from '../platform/http/html.js';
import { Decimal, plain } from '../payments/decimal.js';
import type { Outcome } from '../payments/outcome.js';
import { showAmount } from '../payments/payment-view.js';
import type { ChangedPayment, Sums, Totals, WhatIf } from '../payments/what-if.js';
import { momentOf } from './policies.page.js';

/** From which status to which, and how many. */
export function transitionList(transitions: WhatIf['transitions'], differing: number): Html {
  if (differing === 0) return nothing;
  if (transitions.length === 0) return html`<p>None of them would have another status.</p>`;
  return html`<h3>Status</h3>
    <ul class="rules">
      ${transitions.map(
        ({ from, to, payments }) =>
          html`<li>${from} → ${to}: ${payments} ${payments === 1 ? 'payment' : 'payments'}</li>`,
      )}
    </ul>`;
}

const counts: readonly [keyof Sums & ('paid' | 'inReview' | 'worthUnknown'), string][] = [
  ['paid', 'Paid, payments'],
  ['inReview', 'A person is asked, payments'],
  ['worthUnknown', 'Worth not known, payments'],
];

const sums: readonly [Exclude<keyof Sums, 'paid' | 'inReview' | 'worthUnknown'>, string][] = [
  ['received', 'Received'],
  ['applied', 'Toward the price'],
  ['kept', 'Kept beyond it'],
  ['credited', 'Credited to customers'],
  ['returned', 'Sent back, or on its way'],
  ['unallocated', 'Nobody has decided about it'],
];

export const totalsTables = (totals: readonly Totals[]): readonly Html[] =>
  totals.map(
    ({ currency, payments, actual, simulated }) =>
      html`<h3>${currency}</h3>
        <div class="scroll" role="region" tabindex="0" aria-label="Sums in ${currency}">
          <table class="numbers">
            <caption>
              ${payments} ${payments === 1 ? 'payment' : 'payments'}, amounts in ${currency}
            </caption>
            <thead>
              <tr>
                <td></td>
                <th scope="col">As it was</th>
                <th scope="col">Would have been</th>
                <th scope="col">Difference</th>
              </tr>
            </thead>
            <tbody>
              ${counts.map(([name, label]) => sumRow(label, String(actual[name]), String(simulated[name]), null))}
              ${sums.map(([name, label]) => sumRow(label, actual[name], simulated[name], currency))}
            </tbody>
          </table>
        </div>`,
  );

const sumRow = (label: string, actual: string, simulated: string, currency: string | null): Html =>
  html`<tr>
    <th scope="row">${label}</th>
    <td>${actual}</td>
    <td>${simulated}</td>
    <td>${difference(actual, simulated, currency)}</td>
  </tr>`;

/** `+30.00`, `−5.00`; `0` where both are the same. */
function difference(actual: string, simulated: string, currency: string | null): Html {
  const change = new Decimal(simulated).minus(actual);
  if (change.eq('0')) return html`0`;
  const size = plain(change.abs());
  return html`<strong>${change.gt('0') ? '+' : '−'}${currency === null ? size : showAmount(size, currency)}</strong>`;
}

/** The payments that would stand differently: as many as the simulation lists. */
export function changedTable(changed: readonly ChangedPayment[], differing: number): Html {
  if (changed.length === 0) return nothing;
  return html`<h3>Payments that would stand differently</h3>
    <div class="scroll" role="region" tabindex="0" aria-label="Payments that would stand differently">
      <table class="lines">
        <caption>
          ${
            differing > changed.length
              ? `The first ${String(changed.length)} of ${String(differing)}; policy simulate on the command line lists them all`
              : `All ${String(differing)}`
          }
        </caption>
        <thead>
          <tr>
            <th scope="col">Order and payment</th>
            <th scope="col">Price</th>
            <th scope="col">As it was</th>
            <th scope="col">Would have been</th>
          </tr>
        </thead>
        <tbody>
          ${changed.map(changedRow)}
        </tbody>
      </table>
    </div>`;
}

const changedRow = ({ paymentId, orderId, amount, currency, createdAt, actual, simulated }: ChangedPayment): Html =>
  html`<tr>
    <th scope="row">${orderId}<br /><code>${paymentId}</code><br /><small>${momentOf(createdAt)}</small></th>
    <td>${amount} ${currency}</td>
    <td>${outcome(actual)}</td>
    <td>${outcome(simulated)}</td>
  </tr>`;

const shares: readonly [keyof NonNullable<Outcome['allocation']>, string][] = [
  ['applied', 'toward the price'],
  ['kept', 'kept'],
  ['credited', 'credited'],
  ['refunded', 'sent back'],
  ['refunding', 'on its way back'],
  ['unallocated', 'undecided'],
];

const outcome = ({ status, fulfillable, labels, review, received, allocation }: Outcome): Html => {
  const went = shares
    .map(([name, words]) => [allocation?.[name] ?? '0', words] as const)
    .filter(([amount]) => !new Decimal(amount).eq('0'))
    .map(([amount, words]) => `${amount} ${words}`);
  return html`<strong>${status}</strong>${fulfillable ? ', fulfillable' : ''}
    ${labels.length === 0 ? nothing : html`<br />${labels.join(', ')}`}
    ${review.length === 0 ? nothing : html`<br />a person is asked: ${review.join(', ')}`} <br /><small
      >received ${received ?? 'something of unknown worth'}${went.length === 0 ? '' : `: ${went.join(', ')}`}</small
    >`;
};
