import { isReportable, type Payment } from '../payments/payment.js';
import { isLate } from '../payments/policy.js';
import type { Transfer } from '../payments/worth.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { explorerOf } from '../payments/explorers.js';
import type { Language } from './language.js';
import { textsIn } from './languages/texts-in.js';
import { copy } from './pay-to.page.js';
import { confirmationsOf, neededBy } from './steps.page.js';
import { ltr } from './wording.js';

/** Every transaction that was seen: how much, where, how deep, and where the public can look at it. */
export function transactions(payment: Payment, language: Language, isPast: boolean): Html {
  if (!isReportable(payment) || payment.money.transfers.length === 0) return nothing;
  const { transactions: texts } = textsIn(language);
  const { expiresAt: deadline } = payment.invoice;
  return html`<section aria-labelledby="transactions">
    <h2 id="transactions">${texts.title}</h2>
    <ul class="transactions">
      ${payment.money.transfers.map(
        (transfer) =>
          html`<li>
            <p class="sent">
              <strong>${ltr(`${transfer.sentAmount} ${transfer.currency}`)}</strong>
              <span class="network">${ltr(transfer.network)}</span>
            </p>
            <p class="state">
              ${transfer.status === 'failed' ? texts.failed : confirmationsOf(transfer, neededBy(payment), language)}${
                isLate(transfer, { deadline }) ? html` <span class="badge">${texts.late}</span>` : nothing
              }
            </p>
            ${identity(transfer, language, isPast)}
          </li>`,
      )}
    </ul>
  </section>`;
}

/** The whole id stands in the page; where there is no room for it, its middle is not shown. */
function identity({ network, txHash }: Transfer, language: Language, isPast: boolean): Html {
  if (!/^[\w+/=-]{16,128}$/.test(txHash)) return nothing;
  const { transactions: texts } = textsIn(language);
  const explorer = isPast ? null : explorerOf(network, txHash);
  return html`<p class="hash">
      <span class="hidden">${texts.id}: </span
      ><bdi dir="ltr"><span class="start">${txHash.slice(0, -8)}</span><span>${txHash.slice(-8)}</span></bdi>
      ${copy(texts.id, txHash, language)}
    </p>
    ${
      explorer === null
        ? nothing
        : html`<p>
            <a class="explorer" href="${explorer}" target="_blank" rel="noreferrer noopener"
              >${texts.explorer}<span aria-hidden="true"> ↗</span><span class="hidden"> (${texts.newWindow})</span></a
            >
          </p>`
    }`;
}
