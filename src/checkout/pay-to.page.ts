import type { PayTo } from '../payments/payment.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import type { Language } from './language.js';
import { textsIn } from './languages/texts-in.js';
import { qrCode } from './qr-code.page.js';
import { fill, ltr } from './wording.js';

/**
 * How to pay without the gateway's page: the address as a code and as text, the network, the memo. `due` is what is still
 * to be sent where a part has come already: how many coins that is, nobody has said.
 */
export function payBox(to: PayTo, due: string | null, language: Language): Html {
  const { pay } = textsIn(language);
  return html`<section class="pay" aria-labelledby="how">
    <h2 id="how">${pay.title}</h2>
    <p class="only">${fill(pay.only, { currency: ltr(to.currency), network: ltr(to.network) })}</p>
    <div class="how">
      ${qrCode(to.address, pay.scan)}
      <dl>
        ${
          due === null
            ? field(pay.amount, `${to.amount} ${to.currency}`, copy(pay.amount, to.amount, language))
            : field(pay.amount, fill(pay.amountIn, { amount: ltr(due), currency: ltr(to.currency) }), nothing)
        }
        ${field(pay.network, to.network, nothing)}
        ${field(pay.address, to.address, copy(pay.address, to.address, language))}
        ${to.memo === null ? nothing : field(pay.memo, to.memo, copy(pay.memo, to.memo, language))}
      </dl>
    </div>
    ${to.memo === null ? nothing : html`<p class="note warn">${pay.memoWarning}</p>`}
  </section>`;
}

const field = (name: string, value: string | Html, button: Html): Html =>
  html`<div>
    <dt>${name}</dt>
    <dd>${typeof value === 'string' ? ltr(value) : value} ${button}</dd>
  </div>`;

/** Shown by the script, because nothing but a script can copy. */
export function copy(name: string, text: string, language: Language): Html {
  const { pay } = textsIn(language);
  return html`<button type="button" class="copy quiet" data-copy="${text}" data-copied="${pay.copied}" hidden>
    ${pay.copy}<span class="hidden">: ${name}</span>
  </button>`;
}
