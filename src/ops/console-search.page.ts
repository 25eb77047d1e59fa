import { showAmount } from '../payments/payment-view.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { withQuery } from './console-query.js';
import { beginningAtLeast, matchWords } from './console-search.js';
import type { Found } from './console-search.pg.js';
import { timeOf } from './console-words.js';
import { consoleLayout, type Viewer } from './console.page.js';

interface SearchPage {
  sought: string;
  found: readonly Found[];
  /** Whether these are what was typed, or only begin so. */
  isExact: boolean;
  isFirst: boolean;
  more: boolean;
}

/** What a search found: more than one payment, or none. */
export const searchPage = (viewer: Viewer, page: SearchPage): Html =>
  consoleLayout({
    title: 'Search',
    viewer,
    sought: page.sought,
    body: html`<h1>Search</h1>
      ${page.found.length === 0 ? nothingFound(page) : results(page)}`,
  });

const results = (page: SearchPage): Html =>
  html`<p>
      ${page.isExact ? 'Payments of' : 'Nothing is exactly this; these begin with'}
      <strong>${page.sought}</strong>${page.more && !page.isExact ? '. There are more: type more of it' : ''}.
    </p>
    <div class="scroll" role="region" tabindex="0" aria-label="Payments that were found">
      <table class="stacked">
        <thead>
          <tr>
            <th scope="col">Order</th>
            <th scope="col">Found by</th>
            <th scope="col">Status</th>
            <th scope="col">Amount</th>
            <th scope="col">Application</th>
            <th scope="col">Asked for, UTC</th>
          </tr>
        </thead>
        <tbody>
          ${page.found.map(row)}
        </tbody>
      </table>
    </div>
    ${pager(page)}`;

const row = (found: Found): Html =>
  html`<tr>
    <th scope="row" data-label="Order"><a href="/ops/payments/${found.paymentId}">${found.orderId}</a></th>
    <td data-label="Found by">${found.matched.map((kind) => matchWords[kind]).join(', ')}</td>
    <td data-label="Status">
      <span class="states"
        ><span class="badge ${statusBadge(found.status)}">${found.status}</span>
        ${found.review === 'open' ? html`<span class="badge warn">in review</span>` : nothing}</span
      >
    </td>
    <td data-label="Amount" class="tight">${showAmount(found.amount, found.currency)} ${found.currency}</td>
    <td data-label="Application">${found.application ?? 'unknown'}</td>
    <td data-label="Asked for" class="tight">${timeOf(found.createdAt)}</td>
  </tr>`;

/** How a status looks wherever the console shows one. */
export const statusBadge = (status: string): string =>
  status === 'paid' ? 'good' : status === 'failed' ? 'bad' : status === 'expired' ? 'warn' : '';

const pager = ({ sought, found, isFirst, isExact, more }: SearchPage): Html =>
  html`<nav class="pager" aria-label="Pages">
    ${isFirst ? nothing : html`<a href="${withQuery('/ops/search', { q: sought })}">Newest</a>`}
    ${
      more && isExact
        ? html`<a href="${withQuery('/ops/search', { q: sought, before: found.at(-1)?.paymentId ?? null })}">Older</a>`
        : nothing
    }
  </nav>`;

const nothingFound = ({ sought, isFirst }: SearchPage): Html =>
  html`<div class="card">
    ${
      sought === ''
        ? html`<h2>What are you looking for?</h2>`
        : isFirst
          ? html`<h2>No payment was found for “${sought}”</h2>`
          : html`<h2>No older payment of “${sought}”</h2>`
    }
    <p>
      The search knows the order id, the payment id, the gateway’s track id, the hash of a transaction, an address
      (ours, or the one a refund goes to), the e-mail address and the customer id: whole, or from their beginning on, of
      ${beginningAtLeast} characters at least.
    </p>
    <ul>
      <li>Capital letters count, but for e-mail addresses and for what is hexadecimal.</li>
      <li>A payment is found a moment after it was asked for; try again if it is that new.</li>
      <li>
        Money that came without a payment is in the gateway’s callbacks:
        <a href="/ops?kind=callback">those that wait</a>.
      </li>
    </ul>
  </div>`;
