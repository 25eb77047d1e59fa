import type { RecordedEvent } from '../kernel/event.js';
import { asset } from '../platform/http/assets.controller.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import type { Explanation } from '../payments/explanation.js';
import type { PaymentView } from '../payments/payment-view.js';
import type { Progress } from '../payments/standing.js';
import { developerLayout } from './developer.page.js';
import type { Step } from './landing-steps.js';

const landingScript = asset('landing.js', new URL('./landing.browser.js', import.meta.url));

/** The currencies that the form offers; the API takes more. */
export const offered = ['USD', 'EUR', 'GBP', 'USDT', 'BTC'] as const;

export interface TestPayment {
  view: PaymentView;
  explanation: Explanation;
  events: readonly RecordedEvent[];
}

export interface Landing {
  steps: readonly Step[];
  /** Whether the commands hold the key; else they take it from the environment. */
  keyShown: boolean;
  payment: TestPayment | null;
  /** What went wrong, and what the form held where it was the form. */
  fault: { detail: string; form?: { amount: string; currency: string } } | null;
}

/** The sandbox's first page: a payment by one click, and the same by the API. It is whole without script. */
export const landingPage = ({ steps, keyShown, payment, fault }: Landing): Html =>
  developerLayout({
    title: 'Your first payment',
    sandbox: true,
    here: '/',
    head: html`<script type="module" src="${landingScript}"></script>`,
    body: html`<h1>Your first payment</h1>
      <p class="lead">
        When is a payment complete for the business, and why (not)? Walk one through, by a click or by the API. This is
        a sandbox: nothing here is real money.
      </p>
      <div class="ways">
        ${payment === null ? createForm(fault) : html`<div id="live">${testPayment(payment)}</div>`}
        <section class="card" aria-labelledby="places">
          <h2 id="places">Look around</h2>
          <ul class="plain places">
            ${place('/docs', 'API', 'Every route, with a try-it that works here.')}
            ${place('/ops', "Operators' console", 'What waits for a person, and each payment as a timeline. The start has printed its password.')}
            ${place('/metrics', 'Metrics', 'What runs and what waits, for Prometheus.')}
            ${place('/openapi.json', 'OpenAPI document', 'To make a client from.')}
          </ul>
        </section>
      </div>
      <h2>By the API, step by step</h2>
      <p class="soft">
        Paste them into a terminal, one after the other.
        ${keyShown ? 'They hold the key that this sandbox made for itself.' : html`They take your key from <code>$API_KEY</code>.`}
      </p>
      <ol class="steps">
        ${steps.map(step)}
      </ol>`,
  });

const place = (path: string, label: string, says: string): Html =>
  html`<li><a href="${path}">${label}</a> <span class="soft">${says}</span></li>`;

const step = ({ title, says, command }: Step): Html =>
  html`<li>
    <h3>${title}</h3>
    <p>${says}</p>
    <div class="command">
      <pre tabindex="0" aria-label="Command: ${title}"><code>${command}</code></pre>
    </div>
  </li>`;

const createForm = (fault: Landing['fault']): Html =>
  html`<section class="card" aria-labelledby="create">
    <h2 id="create">Create a test payment</h2>
    <p>The same as a shop does by the API. You then pay it yourself, in any way that you like.</p>
    ${fault === null ? nothing : html`<p class="fault" role="alert" id="fault">${fault.detail}</p>`}
    <form method="post" action="/sandbox/payments">
      <div class="sum">
        <div>
          <label for="amount">Amount</label>
          <input
            id="amount"
            name="amount"
            inputmode="decimal"
            autocomplete="off"
            required
            maxlength="40"
            value="${fault?.form?.amount ?? '49.90'}"
            ${fault?.form === undefined ? nothing : html`aria-invalid="true" aria-describedby="fault"`}
          />
        </div>
        <div>
          <label for="currency">Currency</label>
          <select id="currency" name="currency">
            ${offered.map(
              (code) =>
                html`<option ${code === (fault?.form?.currency ?? 'USD') ? html`selected` : nothing}>${code}</option>`,
            )}
          </select>
        </div>
      </div>
      <button>Create a test payment</button>
    </form>
  </section>`;

/** Where it stands, in the words of the status page. */
const standings: Readonly<Record<Progress, [string, 'good' | 'warn' | 'bad']>> = {
  opening: ['opening', 'warn'],
  awaiting_payment: ['waiting for money', 'warn'],
  partially_paid: ['partly paid', 'warn'],
  detected: ['money seen', 'warn'],
  confirming: ['confirming', 'warn'],
  settled: ['paid', 'good'],
  in_review: ['a person has to look', 'warn'],
  closed: ['closed', 'bad'],
};

function testPayment({ view, explanation, events }: TestPayment): Html {
  const [words, tone] = standings[view.progress];
  return html`<section class="card" aria-labelledby="yours">
    <h2 id="yours">Your test payment</h2>
    <p class="price">${view.amount} ${view.currency} <span class="badge ${tone}" role="status">${words}</span></p>
    <p>${explanation.sentence}</p>
    <div class="buttons">
      ${view.paymentUrl === null ? nothing : html`<a class="button" href="${view.paymentUrl}">Pay it in the sandbox</a>`}
      <a class="button quiet" href="${view.statusUrl}">What the payer sees</a>
    </div>
    <p class="soft">The sandbox's page has one button for each case: exact, underpaid, overpaid, late and more.</p>
    <h3>What happened</h3>
    <ul class="happened">
      ${events.map(happened)}
    </ul>
    <p><a href="/?payment=${view.id}">Look again</a> · <a href="/">Make another</a></p>
  </section>`;
}

const happened = ({ type, recordedAt }: RecordedEvent): Html =>
  html`<li><time datetime="${recordedAt}">${recordedAt.slice(11, 19)}</time> ${wordsOf(type)}</li>`;

/** `InvoiceOpened` as words: "invoice opened". */
const wordsOf = (type: string): string => type.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
