import { instantFromMs } from '../kernel/clock.js';
import { decimalsOf, isFiat } from '../kernel/money.js';
import { type Decimal, plain } from './amounts.js';
import { isHttpUrl } from './fields.js';
import type { Delivery, Payment, Transfer } from './ledger.js';
import { storedNetwork } from './market.js';
import { seconds } from './payment-answers.js';
import type { PayerAction } from './payer-actions.js';
import { amountDue, isConfirmed, isOpen, missing } from './settlement.js';

/** Markup that is safe to print; made by `html` alone, which escapes every value put into it. */
class Markup {
  constructor(readonly text: string) {}
}
type Piece = string | number | Markup | readonly Markup[];

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, (char) => entities[char] ?? char);

function print(piece: Piece): string {
  if (piece instanceof Markup) return piece.text;
  if (typeof piece === 'string' || typeof piece === 'number') return escaped(String(piece));
  return piece.map((part) => part.text).join('');
}

function html(parts: TemplateStringsArray, ...pieces: Piece[]): Markup {
  return new Markup(parts.reduce((text, part, at) => text + print(pieces[at - 1] ?? '') + part));
}

const nothing = new Markup('');

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
  return isOpen(payment) ? 'open' : 'over';
};

interface PageContent {
  payment: Payment;
  nowMs: number;
  actions: readonly { group: string; actions: readonly PayerAction[] }[];
  /** What the last button did, or why it did nothing. */
  notice: string;
}

/** The payer's page: what a payer of the gateway would see, and below it one button for each thing that can happen. */
export function payerPage({ payment, nowMs, actions, notice }: PageContent): string {
  return layout(
    `Payment ${payment.trackId}`,
    html`<header>
        <p class="brand">Sandbox gateway <span>no real money</span></p>
        <p class="status ${tone(payment)}" role="status">${statusWords[payment.status]}</p>
      </header>
      ${notice === '' ? nothing : html`<p class="notice" role="alert">${notice}</p>`} ${summary(payment, nowMs)}
      ${payment.transfers.length === 0 ? nothing : transfers(payment)}
      <section aria-labelledby="play">
        <h2 id="play">Play a case</h2>
        ${actions.map((group) => buttons(payment, group))}
      </section>
      ${callbacks(payment.deliveries)}`,
  );
}

export const notFoundPage = (): string =>
  layout(
    'No such payment',
    html`<h1>No such payment</h1>
      <p>The sandbox does not know this track id.</p>`,
  );

function summary(payment: Payment, nowMs: number): Markup {
  const rest = missing(payment);
  const row = (term: string, value: Piece): Markup =>
    html`<div>
      <dt>${term}</dt>
      <dd>${value}</dd>
    </div>`;
  const back = isHttpUrl(payment.returnUrl)
    ? html`<p><a href="${payment.returnUrl}" rel="noreferrer">Back to the shop</a></p>`
    : nothing;
  return html`<main>
    <h1>${payment.type === 'static_address' ? 'Any amount' : money(amountDue(payment), payment.currency)}</h1>
    ${payment.description === '' ? nothing : html`<p class="about">${payment.description}</p>`}
    <p class="clock">${countdown(payment, nowMs)} <a href="/pay/${payment.trackId}">Refresh</a></p>
    <dl>
      ${rest.gt('0') && payment.transfers.length > 0 ? row('Still missing', money(rest, payment.currency)) : nothing}
      ${payment.orderId === '' ? nothing : row('Order', payment.orderId)} ${row('Track id', payment.trackId)}
      ${payment.address === '' ? nothing : row('Address', html`<code>${payment.address}</code>`)}
      ${payment.memo === '' ? nothing : row('Memo', payment.memo)}
      ${payment.address === '' ? nothing : row('Network', storedNetwork(payment.network).name)}
      ${row('Gateway status', html`<code>${payment.status}</code>`)}
    </dl>
    ${payment.status === 'paid' && payment.thanksMessage !== '' ? html`<p>${payment.thanksMessage}</p>` : nothing}
    ${back}
  </main>`;
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

const transfers = (payment: Payment): Markup =>
  html`<section aria-labelledby="transfers">
    <h2 id="transfers">Transfers</h2>
    <ul class="rows">
      ${payment.transfers.map((transfer) => transferRow(transfer))}
    </ul>
  </section>`;

const transferRow = (transfer: Transfer): Markup =>
  html`<li>
    <strong>${transfer.sent} ${transfer.currency}</strong> on ${storedNetwork(transfer.network).name}
    <span class="tag ${isConfirmed(transfer) ? 'good' : 'open'}"
      >${transfer.confirmations} of ${storedNetwork(transfer.network).required} confirmations</span
    >
    ${transfer.counts ? nothing : html`<span class="tag over">does not count</span>`}
    <small>${moment(transfer.seenMs)} · <code>${transfer.hash}</code></small>
  </li>`;

const buttons = (payment: Payment, group: PageContent['actions'][number]): Markup =>
  html`<h3>${group.group}</h3>
    <div class="buttons">${group.actions.map((action) => button(payment, action))}</div>`;

const button = (payment: Payment, action: PayerAction): Markup =>
  html`<form method="post" action="/pay/${payment.trackId}/actions">
    <input type="hidden" name="action" value="${action.name}" />
    <button title="${action.explains}">${action.label}</button>
  </form>`;

const callbacks = (deliveries: readonly Delivery[]): Markup =>
  html`<section aria-labelledby="callbacks">
    <h2 id="callbacks">Callbacks to the merchant</h2>
    ${
      deliveries.length === 0
        ? html`<p>None yet.</p>`
        : html`<ul class="rows">
            ${deliveries.map(callbackRow)}
          </ul>`
    }
  </section>`;

const callbackRow = (delivery: Delivery): Markup =>
  html`<li>
    <strong>${delivery.status}</strong> <code>${delivery.url}</code>
    <ol>
      ${delivery.attempts.map(
        (attempt) =>
          html`<li>
            ${moment(attempt.atMs)}: ${attempt.httpStatus ?? 'no answer'}
            <span class="tag ${attempt.acknowledged ? 'good' : 'over'}"
              >${attempt.answer.slice(0, 120) || '(empty)'}</span
            >
          </li>`,
      )}
    </ol>
    ${delivery.dueMs === null ? nothing : html`<small>Next try at ${moment(delivery.dueMs)}</small>`}
  </li>`;

const layout = (title: string, body: Markup): string =>
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
        ${body}
      </body>
    </html> `.text;

/** A picture in place of a QR code: the address as text. */
export const addressPicture = (address: string): string =>
  html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 520 80">
    <rect width="520" height="80" fill="#fff" />
    <text x="12" y="46" font-family="monospace" font-size="14">${address}</text>
  </svg>`.text;
