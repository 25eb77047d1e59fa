import type { Instant } from '../kernel/clock.js';
import { showAmount } from '../payments/payment-view.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { withQuery } from './console-query.js';
import { cursorAfter, kindWords, queueKinds, whyOf, type Exception, type QueueKind } from './console-queue.js';
import { countedAtMost, deadLetterDays, type QueueCounts } from './console-queue.pg.js';
import { ageOf, timeOf } from './console-words.js';
import { consoleLayout, reasonField, type Viewer } from './console.page.js';

interface QueuePage {
  exceptions: readonly Exception[];
  counts: QueueCounts;
  kind: QueueKind | null;
  /** The name of the application that the list is narrowed to; empty for all. */
  application: string;
  applications: readonly string[];
  isFirst: boolean;
  more: boolean;
  now: Instant;
  /** What was just done, in a sentence. */
  said: string | null;
}

/** The first page: what waits for a person. */
export const queuePage = (viewer: Viewer, page: QueuePage): Html =>
  consoleLayout({
    title: 'Queue',
    viewer,
    current: 'queue',
    body: html`<h1>Waiting for a person</h1>
      ${page.said === null ? nothing : html`<p class="note" role="status">${page.said}</p>`} ${tabs(page)}
      ${page.applications.length > 1 || page.application !== '' ? applicationForm(page) : nothing}
      ${page.exceptions.length === 0 ? empty(page) : list(viewer, page)} ${pager(page)}`,
  });

const tabs = ({ counts, kind, application }: QueuePage): Html => {
  const total = queueKinds.reduce((sum, each) => sum + counts[each], 0);
  const tab = (path: string, name: string, count: number, isCurrent: boolean): Html =>
    html`<li ${count === 0 ? html`class="none"` : nothing}>
      <a href="${path}" ${isCurrent ? html`aria-current="page"` : nothing}
        >${name} <span class="count">${figure(count)}</span></a
      >
    </li>`;
  return html`<nav class="tabs" aria-label="Kinds">
    <ul>
      ${tab(withQuery('/ops', { application }), 'All', total, kind === null)}
      ${queueKinds.map((each) =>
        tab(withQuery('/ops', { kind: each, application }), kindWords[each].tab, counts[each], each === kind),
      )}
    </ul>
  </nav>`;
};

const figure = (count: number): string => (count >= countedAtMost ? `${String(countedAtMost)}+` : String(count));

const applicationForm = ({ kind, application, applications }: QueuePage): Html =>
  html`<form method="get" action="/ops" class="filters">
    ${kind === null ? nothing : html`<input type="hidden" name="kind" value="${kind}" />`}
    <div>
      <label for="application">Application</label>
      <select id="application" name="application">
        <option value="">All</option>
        ${[...new Set(application === '' ? applications : [...applications, application])].map(
          (name) => html`<option value="${name}" ${name === application ? html`selected` : nothing}>${name}</option>`,
        )}
      </select>
    </div>
    <button class="quiet">Show</button>
  </form>`;

const empty = ({ kind, application, isFirst }: QueuePage): Html =>
  html`<div class="card done">
    ${
      !isFirst
        ? html`<p>That was all. <a href="${withQuery('/ops', { kind, application })}">Back to the oldest</a>.</p>`
        : kind === null && application === ''
          ? html`<h2>Nothing waits for you</h2>
              <p>Every payment, refund, callback and webhook goes its way by itself. Come back when an alert calls.</p>`
          : html`<h2>Nothing of this kind</h2>
              <p><a href="/ops">See everything that waits</a></p>`
    }
  </div>`;

const list = (viewer: Viewer, page: QueuePage): Html =>
  html`<ol class="exceptions">
      ${page.exceptions.map((exception) => row(viewer, exception, page))}
    </ol>
    ${
      page.kind === 'delivery'
        ? html`<p class="soft">
            Webhooks that were given up more than ${deadLetterDays} days ago are told by
            <code>webhooks list --status dead</code>.
          </p>`
        : nothing
    }
    ${
      page.application !== '' && page.kind !== 'delivery'
        ? html`<p class="soft">Callbacks without a payment belong to no application: they stand under “All”.</p>`
        : nothing
    }`;

const row = (viewer: Viewer, exception: Exception, page: QueuePage): Html =>
  html`<li class="card">
    <div class="about">
      <p class="what">
        <span class="badge ${severity[exception.kind]}">${kindWords[exception.kind].row}</span>
        <span class="soft"
          >since
          <time datetime="${exception.since}" title="${timeOf(exception.since)} UTC"
            >${ageOf(exception.since, page.now)}</time
          ></span
        >
      </p>
      <h2><a href="${pathOf(exception)}">${titleOf(exception)}</a></h2>
      ${reasons(whyOf(exception))}
    </div>
    <div class="facts">
      ${
        exception.amount === null || exception.currency === null
          ? nothing
          : html`<p class="amount">${showAmount(exception.amount, exception.currency)} ${exception.currency}</p>`
      }
      <p class="soft">${exception.application ?? (exception.kind === 'callback' ? 'no payment known' : '')}</p>
      ${exception.kind === 'delivery' && viewer.role === 'act' ? redeliverForm(viewer, exception, page) : nothing}
    </div>
  </li>`;

const severity: Readonly<Record<QueueKind, string>> = {
  review: 'warn',
  conflict: 'bad',
  refund: 'bad',
  fulfillment: 'warn',
  opening: 'warn',
  callback: 'warn',
  delivery: 'bad',
};

const pathOf = ({ kind, id, paymentId }: Exception): string =>
  kind === 'callback' ? `/ops/callbacks/${id}` : `/ops/payments/${paymentId ?? id}`;

function titleOf({ kind, id, orderId, why: [, subject = ''] }: Exception): string {
  if (kind === 'callback') return subject === '' ? 'Callback without a track id' : `Callback about track id ${subject}`;
  return orderId === null ? `Payment ${id}` : `Order ${orderId}`;
}

const reasons = (sentences: readonly string[]): Html =>
  sentences.length === 1
    ? html`<p>${asSentence(sentences[0] ?? '')}</p>`
    : html`<ul>
        ${sentences.map((sentence) => html`<li>${asSentence(sentence)}</li>`)}
      </ul>`;

const asSentence = (text: string): string =>
  /^[a-z]+\.[a-z]/.test(text) ? `${text}.` : `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

const redeliverForm = ({ csrfToken }: Viewer, { id }: Exception, { kind, application }: QueuePage): Html =>
  html`<details>
    <summary>Send again</summary>
    <form method="post" action="/ops/deliveries/${id}/redeliver">
      <input type="hidden" name="csrf" value="${csrfToken}" />
      <input type="hidden" name="back" value="${withQuery('/ops', { kind, application })}" />
      ${reasonField(`reason-${id}`)}
      <button>Send again</button>
    </form>
  </details>`;

const pager = ({ exceptions, kind, application, isFirst, more }: QueuePage): Html => {
  const last = exceptions.at(-1);
  return html`<nav class="pager" aria-label="Pages">
    ${isFirst ? nothing : html`<a href="${withQuery('/ops', { kind, application })}">Oldest</a>`}
    ${more && last ? html`<a href="${withQuery('/ops', { kind, application, after: cursorAfter(last) })}">More</a>` : nothing}
  </nav>`;
};
