import type { JsonObject } from '../kernel/json.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import type { AuditTarget, RecordedEntry } from './audit-entry.js';
import { withQuery } from './console-query.js';
import { timeOf } from './console-words.js';
import { consoleLayout, type Viewer } from './console.page.js';

interface AuditPage {
  entries: readonly RecordedEntry[];
  /** What the list is narrowed to; empty for all. */
  filter: { actor: string; action: string };
  choices: { actors: readonly string[]; actions: readonly string[] };
  isFirst: boolean;
  /** The position after which the next page begins; null on the last one. */
  last: number | null;
}

/** What operators did, and what was refused. */
export const auditPage = (viewer: Viewer, page: AuditPage): Html =>
  consoleLayout({
    title: 'Audit',
    viewer,
    current: 'audit',
    body: html`<h1>Audit</h1>
      <p class="soft">
        What operators did, and who was turned away. Each entry is an event of the store’s append-only log, chained to
        the one before; <code>verify</code> says where one was changed. Times are UTC.
      </p>
      ${filterForm(page)} ${page.entries.length === 0 ? empty(page) : table(page.entries)} ${pager(page)}`,
  });

const filterForm = ({ filter, choices }: AuditPage): Html =>
  html`<form method="get" action="/ops/audit" class="filters">
    <div>
      <label for="actor">Who</label>
      <select id="actor" name="actor">
        ${options(choices.actors, filter.actor, nameOf)}
      </select>
    </div>
    <div>
      <label for="action">What</label>
      <select id="action" name="action">
        ${options(choices.actions, filter.action, actionInWords)}
      </select>
    </div>
    <button class="quiet">Show</button>
  </form>`;

/** What is chosen stands in the list even where it is not lately among the entries. */
const options = (choices: readonly string[], chosen: string, words: (choice: string) => string): readonly Html[] => [
  html`<option value="">All</option>`,
  ...[...new Set(chosen === '' ? choices : [...choices, chosen])].map(
    (choice) =>
      html`<option value="${choice}" ${choice === chosen ? html`selected` : nothing}>${words(choice)}</option>`,
  ),
];

const empty = ({ filter, isFirst }: AuditPage): Html =>
  html`<p class="card">
    ${
      filter.actor === '' && filter.action === '' && isFirst
        ? 'Nobody has done anything here yet. The first login will stand here.'
        : html`Nothing fits. <a href="/ops/audit">Show all</a>.`
    }
  </p>`;

const table = (entries: readonly RecordedEntry[]): Html =>
  html`<div class="scroll" role="region" tabindex="0" aria-label="What was done">
    <table class="stacked">
      <thead>
        <tr>
          <th scope="col">When</th>
          <th scope="col">Who</th>
          <th scope="col">What</th>
          <th scope="col">Outcome</th>
          <th scope="col">About</th>
          <th scope="col">Why and how</th>
        </tr>
      </thead>
      <tbody>
        ${entries.map(row)}
      </tbody>
    </table>
  </div>`;

const row = ({ at, actor, role, action, target, reason, outcome, detail }: RecordedEntry): Html =>
  html`<tr>
    <td data-label="When" class="tight">${timeOf(at)}</td>
    <td data-label="Who">${nameOf(actor)} ${role === 'view' ? html`<br /><small>looking only</small>` : nothing}</td>
    <td data-label="What">${actionInWords(action)}</td>
    <td data-label="Outcome"><span>${badge(outcome)}</span></td>
    <td data-label="About">${target === null ? html`<span class="soft">–</span>` : about(target)}</td>
    <td data-label="Why and how">
      ${reason === null ? nothing : html`<q>${reason}</q><br />`} ${detail === null ? nothing : details(detail)}
    </td>
  </tr>`;

const badge = (outcome: RecordedEntry['outcome']): Html =>
  html`<span class="badge ${outcome === 'done' ? 'good' : outcome === 'refused' ? 'warn' : 'bad'}">${outcome}</span>`;

function about({ kind, id }: AuditTarget): Html {
  const path = kind === 'payment' ? '/ops/payments/' : kind === 'callback' ? '/ops/callbacks/' : null;
  const shown = html`<code>${id}</code>`;
  return html`${kind} ${path === null ? shown : html`<a href="${path}${encodeURIComponent(id)}">${shown}</a>`}`;
}

const details = (detail: JsonObject): Html =>
  html`<small>
    ${Object.entries(detail).map(
      ([name, value]) => html`${name}: ${typeof value === 'string' ? value : JSON.stringify(value)}<br />`,
    )}
  </small>`;

const pager = ({ filter, isFirst, last }: AuditPage): Html =>
  html`<nav class="pager" aria-label="Pages">
    ${isFirst ? nothing : html`<a href="${withQuery('/ops/audit', filter)}">Newest</a>`}
    ${last === null ? nothing : html`<a href="${withQuery('/ops/audit', { ...filter, before: String(last) })}">Older</a>`}
  </nav>`;

const nameOf = (actor: string): string => {
  const name = actor.replace(/^operator:/, '');
  return name === 'unnamed' ? 'nobody named' : name;
};

const words: ReadonlyMap<string, string> = new Map(
  Object.entries({
    'session.login': 'Log in',
    'session.logout': 'Log out',
    'session.wrong_password': 'Wrong password',
    'session.too_many_passwords': 'Too many wrong passwords',
    'session.ended': 'A session that is over',
    'form.not_from_console': 'A form that did not come from the console',
    'form.looks_only': 'An action by somebody who may look only',
    'callback.reprocess': 'Reprocess a callback',
    'delivery.redeliver': 'Send a webhook again',
    'application.create': 'Create an application',
    'application.rotate_key': 'Give an application a new key',
  }),
);

/** In words where it is one of ours; else as it is called, which is nearly words. */
const actionInWords = (action: string): string => words.get(action) ?? action.replace(/[._]/g, ' ');
