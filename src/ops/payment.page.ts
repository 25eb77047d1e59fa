import { asset } from '../platform/http/assets.controller.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import type { Payment } from '../payments/payment.js';
import type { AsOf } from '../payments/time-travel.js';
import { consoleLayout, type Viewer } from './console.page.js';
import { paymentPath, secondsOf, timeOf } from './console-text.page.js';
import { actionNames, actionsPart } from './payment-actions.page.js';
import type { Sent } from './payment-forms.js';
import { standingPart, type Standing } from './payment-standing.page.js';
import { timelinePart, type Life } from './payment-timeline.page.js';

const style = asset('console-payment.css', new URL('./console-payment.css', import.meta.url));
const script = asset('payment-timeline.js', new URL('./payment-timeline.browser.js', import.meta.url));

export interface PaymentPage {
  viewer: Viewer;
  application: string;
  life: Life;
  /** As it stands, or stood. */
  standing: Standing;
  /** What a form that is sent from this page carries against being sent twice. */
  request: string;
  /** What an action did; null where none has just been done. */
  notice: string | null;
  /** An action that was not done, and why; `isUnsure` where it may have been. */
  refused: { sent: Sent; why: string; isUnsure: boolean } | null;
}

/** Everything about one payment. */
export function paymentPage(page: PaymentPage): Html {
  const { viewer, application, life, standing, notice, refused } = page;
  const { payment } = life.loaded;
  const { terms } = payment;
  const version = standing.events.length;
  return consoleLayout({
    title: `Order ${terms.orderId}`,
    viewer,
    body: html`<link rel="stylesheet" href="${style}" />
      <script type="module" src="${script}"></script>
      <div class="top">
        <h1>Order ${terms.orderId}</h1>
        <p class="amount">${terms.amount} ${terms.currency}</p>
      </div>
      <p class="soft">
        Payment <code>${terms.id}</code> of ${application}, ${terms.deposit ? 'seen' : 'asked for'} at
        ${timeOf(terms.requestedAt)}
      </p>
      ${notice === null ? nothing : html`<p class="note done" role="status">${notice}</p>`}
      ${refused === null ? nothing : refusal(refused)} ${versions(life, version, standing.asOf)}
      <div id="standing">${standingPart(standing)}</div>
      ${actionsFor(page)} ${timelinePart(life, version)} ${termsOf(payment)}`,
  });
}

const refusal = ({ sent: { action, faults }, why, isUnsure }: NonNullable<PaymentPage['refused']>): Html =>
  html`<div class="fault" role="alert">
    <p>
      <strong>${actionNames[action]}: ${isUnsure ? 'it may have been done, or not.' : 'nothing was done.'}</strong>
      ${why} ${isUnsure ? 'Send this form again as it is: it acts once.' : ''}
    </p>
    ${
      faults.size === 0
        ? nothing
        : html`<ul class="rules">
            ${[...faults].map(
              ([field, fault]) => html`<li><a href="#${action}-${field}">${fieldNames[field]}</a> ${fault}.</li>`,
            )}
          </ul>`
    }
  </div>`;

const fieldNames = {
  decision: 'The decision',
  amount: 'The amount',
  currency: 'The currency',
  address: 'The address',
  network: 'The network',
  memo: 'The memo',
  delivery: 'The webhook',
  retired: 'The choice',
  reason: 'The reason',
} as const;

/** The way through a payment's versions: links, and a slider where a script can make one of them. */
function versions({ loaded: { events, payment } }: Life, version: number, asOf: AsOf | null): Html {
  const newest = events.length;
  const path = paymentPath(payment.terms.id);
  const at = events[version - 1];
  const link = (to: number, name: string, label: string): Html =>
    to < 1 || to > newest || to === version
      ? html`<span class="soft" aria-hidden="true">${name}</span>`
      : html`<a href="${to === newest ? path : `${path}?asOf=${String(to)}`}" aria-label="${label}">${name}</a>`;
  return html`<nav
    class="card versions"
    aria-label="Versions"
    id="versions"
    data-path="${path}"
    data-newest="${newest}"
    data-version="${version}"
  >
    <p class="which" id="which">
      <strong>Version ${version} of ${newest}</strong>: ${at?.type ?? ''},
      ${at ? secondsOf(at.recordedAt) : ''}${asOf === null ? ' (now)' : ''}
    </p>
    <p class="links">
      ${link(1, '⇤ First', 'The first version')} ${link(version - 1, '← Earlier', `Version ${String(version - 1)}`)}
      ${link(version + 1, 'Later →', `Version ${String(version + 1)}`)} ${link(newest, 'Now ⇥', 'As it is now')}
    </p>
    <p class="hidden" role="status" id="told"></p>
  </nav>`;
}

const addressed = ({ address, network, memo }: { address: string; network: string; memo: string | null }): string =>
  `${address} on ${network}${memo === null ? '' : `, memo ${memo}`}`;

function termsOf({ terms, ...payment }: Payment): Html {
  const invoice = 'invoice' in payment ? payment.invoice : null;
  const { deposit } = terms;
  const rows: [string, string | null | undefined][] = [
    ['Customer', terms.customerId],
    ['E-mail', terms.email],
    ['Description', terms.description],
    ['Track id', invoice?.trackId],
    ['Pay to', invoice?.payTo && addressed(invoice.payTo)],
    ['Deposit address', deposit && addressed(deposit)],
    ['Return address', terms.returnUrl],
    ['Remainder of', terms.remainderOf],
    ['Refunds go to', terms.refundTo && `${terms.refundTo.address} on ${terms.refundTo.network}`],
    ...Object.entries(terms.metadata).map(([name, value]): [string, string] => [`Metadata: ${name}`, value]),
  ];
  return html`<section aria-labelledby="terms">
    <h2 id="terms">What was agreed</h2>
    <dl class="why card">
      ${rows.map(([name, value]) =>
        value === null || value === undefined
          ? nothing
          : html`<dt>${name}</dt>
              <dd>${value}</dd>`,
      )}
      <dt>Lifetime</dt>
      <dd>${terms.lifetimeMinutes} minutes</dd>
    </dl>
  </section>`;
}

function actionsFor({ viewer, life, standing, request, refused }: PaymentPage): Html {
  if (viewer.role === 'view')
    return html`<p class="soft">You are logged in to look only: whoever may act finds the actions here.</p>`;
  if (standing.asOf !== null)
    return html`<p class="note">
      This is the past.
      <a href="${paymentPath(life.loaded.payment.terms.id)}#actions">Act on the payment as it is now</a>
    </p>`;
  return actionsPart({ csrfToken: viewer.csrfToken, request, record: life, sent: refused?.sent ?? null });
}
