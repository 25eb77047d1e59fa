import { html, nothing, type Html } from '../platform/http/html.js';
import { explorerOf } from '../payments/explorers.js';
import { plain, Decimal } from '../payments/decimal.js';
import { dueOf, isReportable, type Payment } from '../payments/payment.js';
import { showAmount, viewPayment, type PaymentView, type RefundView } from '../payments/payment-view.js';
import { missingOf } from '../payments/standing.js';
import { timeOf } from './console-text.page.js';
import { paymentRow, type TransferRow } from './payment-rows.js';

/** Where the money came from and went: sums in the payment's currency, and each transfer and refund in its own coin too. */
export function moneyPanel(payment: Payment): Html {
  const view = viewPayment(payment, 0, '');
  const { transfers } = paymentRow(payment, '');
  return html`<section class="card" aria-labelledby="money">
      <h2 id="money">Money</h2>
      <dl class="sums">
        ${sumsOf(payment, view).map(
          ([name, value]) =>
            html`<dt>${name}</dt>
              <dd>${value}</dd>`,
        )}
      </dl>
      ${view.estimated ? html`<p class="soft">What came is worth so much at the gateway’s prices of the time.</p>` : nothing}
    </section>
    ${transferTable(transfers)} ${refundTable(view.refunds)}`;
}

function sumsOf(payment: Payment, view: PaymentView): [string, string][] {
  const { currency } = payment.terms;
  const money = (amount: string): string => `${showAmount(amount, currency)} ${currency}`;
  const due = isReportable(payment) ? dueOf(payment) : view.amount;
  const missing = missingOf(payment);
  const { allocation, received, credit } = view;
  const some = (name: string, amount: string | null | undefined): [string, string][] =>
    amount && new Decimal(amount).gt('0') ? [[name, money(amount)]] : [];
  return [
    ['Price', money(view.amount)],
    ...some("Paid by the customer's credit", credit),
    ...(plain(new Decimal(due)) === plain(new Decimal(view.amount))
      ? []
      : [['Due', money(due)] satisfies [string, string]]),
    ['Received', received === null ? 'worth not known' : money(received)],
    ['Missing', missing === null ? 'nothing' : money(missing)],
    ...(allocation
      ? ([
          ['For the price', money(allocation.applied)],
          ...some('Kept', allocation.kept),
          ['Credited', money(allocation.credited)],
          ['Refunded', money(allocation.refunded)],
          ...some('On its way back', allocation.refunding),
          ['Unallocated', money(allocation.unallocated)],
        ] satisfies [string, string][])
      : []),
  ];
}

const sources = {
  same_currency: 'same currency',
  gateway: 'told by the gateway',
  recorded_price: 'price noted here',
} as const;

/** A transaction, and where the public sees it. */
function transaction(network: string, txHash: string): Html {
  if (txHash === '') return html`<code>no hash told</code>`;
  const address = explorerOf(network, txHash);
  const code = html`<code>${txHash}</code>`;
  return address === null ? code : html`<a href="${address}" rel="noreferrer noopener" target="_blank">${code}</a>`;
}

function transferTable(transfers: readonly TransferRow[]): Html {
  if (transfers.length === 0) return nothing;
  return html`<div class="scroll whole" role="region" tabindex="0" aria-label="Transfers">
    <table class="ledger">
      <caption>
        Transfers
      </caption>
      <thead>
        <tr>
          <th scope="col">Sent</th>
          <th scope="col">Worth</th>
          <th scope="col">State</th>
          <th scope="col">Network and transaction</th>
          <th scope="col">First seen</th>
        </tr>
      </thead>
      <tbody>
        ${transfers.map(
          (transfer) =>
            html`<tr>
              <td>
                ${transfer.sentAmount} ${transfer.currency}
                ${transfer.receivedAmount === null ? nothing : html`<br /><small>${transfer.receivedAmount} after the gateway’s fee</small>`}
              </td>
              <td>
                ${transfer.worth === null ? 'not known' : `${transfer.worth} ${transfer.worthCurrency}`}
                ${transfer.rate === null || transfer.rateSource === null ? nothing : html`<br /><small>rate ${transfer.rate}, ${sources[transfer.rateSource]}</small>`}
              </td>
              <td>
                ${transfer.status}
                ${transfer.confirmations === null ? nothing : html`<br /><small>${transfer.confirmations} confirmations</small>`}
              </td>
              <td>${transfer.network}<br />${transaction(transfer.network, transfer.txHash)}</td>
              <td>${timeOf(transfer.firstSeenAt)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function refundTable(refunds: readonly RefundView[]): Html {
  if (refunds.length === 0) return nothing;
  return html`<div class="scroll whole" role="region" tabindex="0" aria-label="Refunds">
    <table class="ledger">
      <caption>
        Refunds
      </caption>
      <thead>
        <tr>
          <th scope="col">Refund</th>
          <th scope="col">Payout</th>
          <th scope="col">State</th>
          <th scope="col">Why</th>
          <th scope="col">Asked for</th>
        </tr>
      </thead>
      <tbody>
        ${refunds.map(
          ({ number, amount, currency, payout, status, trackId, txHash, detail, reason, clause, requestedAt }) =>
            html`<tr>
              <td>#${number}<br />${amount} ${currency}</td>
              <td>
                ${payout.amount} ${payout.currency} on ${payout.network}<br /><small
                  >to <code>${payout.address}</code>${payout.memo === null ? '' : `, memo ${payout.memo}`}</small
                >
              </td>
              <td>
                ${status}${detail === null ? nothing : html`<br /><small>${detail}</small>`}
                ${trackId === null ? nothing : html`<br /><small>payout ${trackId}</small>`}
                ${txHash === null ? nothing : html`<br />${transaction(payout.network, txHash)}`}
              </td>
              <td>${reason}<br /><small>${clause}</small></td>
              <td>${timeOf(requestedAt)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
