import { instantFromMs } from '../kernel/clock.js';
import { decimalsOf, isFiat } from '../kernel/money.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { type Decimal, plain } from './amounts.js';
import { printJson } from './envelope.js';
import { isHttpUrl } from './fields.js';
import type { Delivery, Payment, Transfer } from './ledger.js';
import { storedNetwork } from './market.js';
import { paymentInformation, seconds } from './payment-answers.js';
import type { PayerAction } from './payer-actions.js';
import { byHand } from './payer-by-hand.page.js';
import { amountDue, isConfirmed, isOpen, missing } from './settlement.js';

const statusWords: Readonly<Record<Payment['status'], string>> = {
  new: 'Waiting for payment',
  waiting: 'Waiting for payment',
  paying: 'Payment seen',
  paid: 'Paid',
  manual_accept: 'Accepted by the merchant',
  underpaid: 'Underpaid',
  refunding: 'Being refunded',
  refunded: 'Refunded',
  expired: 'Expired',
  failed: 'Failed',
};

const tone = (payment: Payment): string => {
  if (payment.status === 'paid' || payment.status === 'manual_accept') return 'good';
  return isOpen(payment) ? 'warn' : 'bad';
};

interface PageContent {
  payment: Payment;
  nowMs: number;
  actions: readonly { group: string; actions: readonly PayerAction[] }[];
  /** What the last button did, or why it did nothing. */
  notice: string;
  /** Where the merchant's service shows the payment; null where that is not known. */
  merchantPage: string | null;
}

/** The payer's page: what a payer of the gateway would see, and beside it one button for each thing that can happen. */
export function payerPage(content: PageContent): Html {
  const { payment, actions, notice } = content;
  return layout(
    `Payment ${payment.trackId}`,
    html`${notice === '' ? nothing : html`<p class="note" role="alert">${notice}</p>`}
      <div class="column">
        ${summary(content)} ${payment.transfers.length === 0 ? nothing : transfers(payment)}
        ${callbacks(payment.deliveries)}
      </div>
      <div class="column">${actions.map((group) => buttons(payment, group))} ${byHand(payment)}</div>`,
  );
}

export const notFoundPage = (): Html =>
  layout(
    'No such payment',
    html`<section class="card">
      <h1>No such payment</h1>
      <p>The sandbox does not know this track id.</p>
    </section>`,
  );

const row = (term: string, value: string | Html): Html =>
  html`<div>
    <dt>${term}</dt>
    <dd>${value}</dd>
  </div>`;

function summary({ payment, nowMs, merchantPage }: PageContent): Html {
  const rest = missing(payment);
  const thanks = payment.status === 'paid' && payment.thanksMessage !== '';
  return html`<section class="card" aria-label="The payment">
    <div class="price">
      <h1>${payment.type === 'static_address' ? 'Any amount' : money(amountDue(payment), payment.currency)}</h1>
      <span class="badge ${tone(payment)}" role="status">${statusWords[payment.status]}</span>
    </div>
    ${payment.description === '' ? nothing : html`<p>${payment.description}</p>`}
    <p class="soft">${countdown(payment, nowMs)} <a href="/pay/${payment.trackId}">Refresh</a></p>
    ${thanks ? html`<p class="note">${payment.thanksMessage}</p>` : nothing}
    <dl>
      ${rest.gt('0') && payment.transfers.length > 0 ? row('Still missing', money(rest, payment.currency)) : nothing}
      ${payment.orderId === '' ? nothing : row('Order', payment.orderId)} ${row('Track id', payment.trackId)}
      ${payment.address === '' ? nothing : row('Address', html`<code>${payment.address}</code>`)}
      ${payment.memo === '' ? nothing : row('Memo', payment.memo)}
      ${payment.address === '' ? nothing : row('Network', storedNetwork(payment.network).name)}
      ${row('Gateway status', html`<code>${payment.status}</code>`)}
    </dl>
    ${waysBack(payment, merchantPage)}
    <details>
      <summary>What the gateway knows</summary>
      <pre tabindex="0" aria-label="The gateway's answer"><code>${indented(payment)}</code></pre>
    </details>
  </section>`;
}

const indented = (payment: Payment): string =>
  JSON.stringify(JSON.parse(printJson(paymentInformation(payment))), null, 2);

function waysBack({ returnUrl }: Payment, merchantPage: string | null): Html {
  const toShop = isHttpUrl(returnUrl) ? html`<a href="${returnUrl}" rel="noreferrer">Back to the shop</a>` : nothing;
  const toService = merchantPage === null ? nothing : html`<a href="${merchantPage}">What the service makes of it</a>`;
  return html`<p class="buttons">${toShop} ${toService}</p>`;
}

/** `49.90 USD`: with at least the digits of the currency's minor unit. */
function money(amount: Decimal, currency: string): string {
  const digits = isFiat(currency) ? decimalsOf(currency) : 0;
  const fits = amount.round(digits, 0).eq(amount);
  return `${fits ? amount.toFixed(digits) : plain(amount)} ${currency}`;
}

function countdown(payment: Payment, nowMs: number): string {
  if (payment.expiresMs === null) return 'No deadline.';
  const left = seconds(payment.expiresMs) - seconds(nowMs);
  if (left <= 0) return `The deadline passed at ${moment(payment.expiresMs)}.`;
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor((left % 3600) / 60);
  return `${hours > 0 ? `${hours} h ` : ''}${minutes} min ${left % 60} s left, until ${moment(payment.expiresMs)}.`;
}

const moment = (ms: number): string => `${instantFromMs(ms).slice(0, 19).replace('T', ' ')} UTC`;

const transfers = (payment: Payment): Html =>
  html`<section class="card" aria-labelledby="transfers">
    <h2 id="transfers">Transfers</h2>
    <ul class="plain rows">
      ${payment.transfers.map(transferRow)}
    </ul>
  </section>`;

const transferRow = (transfer: Transfer): Html =>
  html`<li>
    <strong>${transfer.sent} ${transfer.currency}</strong> on ${storedNetwork(transfer.network).name}
    <span class="badge ${isConfirmed(transfer) ? 'good' : 'warn'}"
      >${transfer.confirmations} of ${storedNetwork(transfer.network).required} confirmations</span
    >
    ${transfer.counts ? nothing : html`<span class="badge bad">does not count</span>`}
    <small>${moment(transfer.seenMs)} · <code>${transfer.hash}</code></small>
  </li>`;

const buttons = (payment: Payment, { group, actions }: PageContent['actions'][number]): Html =>
  html`<section class="card" aria-label="${group}">
    <h2>${group}</h2>
    <ul class="plain cases">
      ${actions.map((action) => button(payment, action))}
    </ul>
  </section>`;

const button = (payment: Payment, { name, label, explains }: PayerAction): Html =>
  html`<li>
    <form method="post" action="/pay/${payment.trackId}/actions">
      <input type="hidden" name="action" value="${name}" />
      <button class="${name === 'exact' ? '' : 'quiet'}" aria-describedby="does-${name}">${label}</button>
      <p class="soft" id="does-${name}">${explains}</p>
    </form>
  </li>`;

const callbacks = (deliveries: readonly Delivery[]): Html =>
  html`<section class="card report" aria-labelledby="callbacks">
    <h2 id="callbacks">Callbacks to the merchant</h2>
    ${
      deliveries.length === 0
        ? html`<p class="soft">None yet.</p>`
        : html`<ul class="plain rows">
            ${deliveries.map(callbackRow)}
          </ul>`
    }
  </section>`;

const callbackRow = (delivery: Delivery): Html =>
  html`<li>
    <strong>${delivery.status}</strong> <small><code>${delivery.url}</code></small>
    <ol>
      ${delivery.attempts.map(
        (attempt) =>
          html`<li>
            ${moment(attempt.atMs)}: ${attempt.httpStatus ?? 'no answer'}
            <span class="badge ${attempt.acknowledged ? 'good' : 'bad'}"
              >${attempt.answer.slice(0, 120) || '(empty)'}</span
            >
          </li>`,
      )}
    </ol>
    ${delivery.dueMs === null ? nothing : html`<small>Next try at ${moment(delivery.dueMs)}</small>`}
  </li>`;

const layout = (title: string, body: Html): Html =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title} · Sandbox gateway</title>
        <link rel="stylesheet" href="/pay.css" />
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header class="bar">
          <p class="brand">Sandbox gateway</p>
          <p class="badge warn">No real money moves here</p>
        </header>
        <main id="main">${body}</main>
      </body>
    </html> `;

/** A picture in place of a QR code: the address as text. */
export const addressPicture = (address: string): string =>
  html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 520 80">
    <rect width="520" height="80" fill="#fff" />
    <text x="12" y="46" font-family="monospace" font-size="14">${address}</text>
  </svg>`.text;
