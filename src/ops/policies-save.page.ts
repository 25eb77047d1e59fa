import { html, nothing, type Html } from '../platform/http/html.js';
import { Decimal, plain } from '../payments/decimal.js';
import { showAmount } from '../payments/payment-view.js';
import type { PolicyRules } from '../payments/policy.js';
import type { Totals, WhatIf } from '../payments/what-if.js';
import type { AuthoredVersion } from './console-policies.pg.js';
import { momentOf, ruleList, whatIfPath } from './policies.page.js';
import { sentencesOf } from './policy-words.js';
import { queryOf, typedRules, type Typed } from './what-if-form.js';

/** How long a reason is, characters. */
export const reasonLengths = { least: 3, most: 500 };

/** What it takes to save rules that were looked at. */
export interface Offer {
  application: string;
  policy: string;
  csrfToken: string;
  /** The newest version, which the rules are to follow; null for a policy that is to be new. */
  newest: AuthoredVersion | null;
  rules: PolicyRules;
  typed: Typed;
  proof: string;
  /** What came of the past; null where the page is shown again because of the reason. */
  simulation: (Pick<WhatIf, 'payments' | 'differing' | 'totals'> & { next: string | null }) | null;
  reason: string;
  fault: string | null;
}

/** The form that saves what was looked at: what changes, in words, and what that would have done. */
export function savingForm(offer: Offer): Html {
  const { application, policy, csrfToken, newest, typed, proof, simulation, reason, fault } = offer;
  const version = (newest?.version ?? 0) + 1;
  return html`<section aria-labelledby="save" class="card">
    <h2 id="save">Save as version ${version} of “${policy}”</h2>
    ${changes(offer)} ${simulation === null ? nothing : effect(simulation)}
    <p>It holds for payments that are created from now on. Payments that run keep the version that they began with.</p>
    <form method="post" action="${whatIfPath(application, policy)}" novalidate>
      <input type="hidden" name="csrf" value="${csrfToken}" />
      <input type="hidden" name="basedOn" value="${newest?.version ?? 0}" />
      <input type="hidden" name="proof" value="${proof}" />
      <input type="hidden" name="of" value="${typed.of}" />
      ${typedRules(typed).map(([field, value]) => html`<input type="hidden" name="${field}" value="${value}" />`)}
      <label for="reason">Why</label>
      <textarea
        id="reason"
        name="reason"
        rows="2"
        maxlength="${reasonLengths.most}"
        required
        aria-describedby="reason-hint${fault === null ? '' : ' reason-fault'}"
        ${fault === null ? nothing : html`aria-invalid="true" autofocus`}
      >
${reason}</textarea>
      <p class="soft" id="reason-hint">
        For the record of what operators do: ${reasonLengths.least} to ${reasonLengths.most} characters.
      </p>
      ${fault === null ? nothing : html`<p class="fault" id="reason-fault" role="alert">${fault}</p>`}
      <p class="buttons"><button>Save version ${version}</button></p>
    </form>
  </section>`;
}

const clauses = ['Paid', 'Short', 'Too much', 'Late'];

/** Clause by clause, side by side. */
function changes({ newest, rules }: Offer): Html {
  const now = sentencesOf(rules);
  const before = newest === null ? [] : sentencesOf(newest.rules);
  return html`<div class="scroll" role="region" tabindex="0" aria-label="What changes">
    <table class="changes">
      <thead>
        <tr>
          <th scope="col">Rule</th>
          <th scope="col">${newest === null ? 'There is none' : `Version ${String(newest.version)}, now`}</th>
          <th scope="col">Version ${(newest?.version ?? 0) + 1}</th>
        </tr>
      </thead>
      <tbody>
        ${now.map((sentence, at) => {
          const old = before[at];
          return html`<tr ${old === sentence ? nothing : html`class="changed"`}>
            <th scope="row">${clauses[at] ?? ''}</th>
            <td>${old ?? '–'}</td>
            <td>
              ${old === sentence ? html`<span class="soft">unchanged</span>` : html`<strong>${sentence}</strong>`}
            </td>
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

/** What the new rules would have done to the past, in a sentence and the sums that move. */
function effect({ payments, differing, totals, next }: NonNullable<Offer['simulation']>): Html {
  const part = next === null ? '' : ' in this part of the past';
  const of = `${String(payments)} past ${payments === 1 ? 'payment' : 'payments'}${part}`;
  if (differing === 0) return html`<p>None of ${of} would have ended differently.</p>`;
  return html`<p><strong>${differing} of ${of}</strong> would have ended differently:</p>
    ${ruleList(totals.flatMap(moves))}`;
}

const moving = [
  ['applied', 'toward prices'],
  ['kept', 'kept beyond them'],
  ['credited', 'credited to customers'],
  ['returned', 'sent back'],
  ['unallocated', 'undecided'],
] as const;

function moves({ currency, actual, simulated }: Totals): string[] {
  const sums = moving.flatMap(([name, words]) => {
    const change = new Decimal(simulated[name]).minus(actual[name]);
    if (change.eq('0')) return [];
    return [`${change.gt('0') ? '+' : '−'}${showAmount(plain(change.abs()), currency)} ${currency} ${words}`];
  });
  const paid = simulated.paid - actual.paid;
  const count = paid === 0 ? [] : [`${paid > 0 ? '+' : '−'}${String(Math.abs(paid))} paid (${currency})`];
  return [...count, ...sums];
}

/** The rules are those of the newest version. */
export const sameRulesNote = (version: number): Html =>
  html`<p class="note">These are the rules that version ${version} has already: there is nothing to save.</p>`;

export const looksOnlyNote = html`<p class="note">
  You are logged in to look only. Whoever may act can save these rules from this page.
</p>`;

export const savedNote = ({ version }: AuthoredVersion): Html =>
  html`<p class="note good" role="status">
    Version ${version} is saved, and holds for payments created from now on. Payments that run keep the version that
    they began with.
  </p>`;

/** Nothing was saved, because the rules are those of the newest version. */
export const notSavedNote = (version: number): Html =>
  html`<p class="note" role="status">Nothing was saved: these are the rules that version ${version} has already.</p>`;

/** Nothing was saved, because somebody else did meanwhile. */
export const conflictNote = (newest: AuthoredVersion | null, path: string, typed: Typed): Html =>
  html`<div class="fault" role="alert">
    <p>
      <strong>Nothing was saved.</strong>
      ${
        newest === null
          ? 'The policy is not there any more.'
          : `Version ${String(newest.version)} is the newest now: saved ${newest.definedAt === null ? '' : `on ${momentOf(newest.definedAt)} `}by ${authorOf(newest)}.`
      }
    </p>
    <p>
      <a href="${path}?${queryOf(typed)}">Look at what your rules would change against it</a>, and save them from there.
    </p>
  </div>`;

/** Nothing was saved, because nobody saw what these rules would have done. */
export const unseenNote = (path: string, typed: Typed): Html =>
  html`<div class="fault" role="alert">
    <p><strong>Nothing was saved.</strong> Rules are saved from the what-if of exactly these rules.</p>
    <p><a href="${path}?${queryOf(typed)}">Look at what they would have done</a>.</p>
  </div>`;

/** As many as a page shows at once; the others are folded away. */
const shownVersions = 10;

/** Every version in words, newest first. */
export function versionList(versions: readonly AuthoredVersion[]): Html {
  if (versions.length === 0) return nothing;
  const newestFirst = versions.map((version, at) => ({ version, before: versions[at - 1] ?? null })).reverse();
  const rest = newestFirst.slice(shownVersions);
  return html`<section aria-labelledby="versions">
    <h2 id="versions">Versions</h2>
    <ol class="versions">
      ${newestFirst.slice(0, shownVersions).map(versionItem)}
    </ol>
    ${
      rest.length === 0
        ? nothing
        : html`<details>
            <summary>${rest.length} older</summary>
            <ol class="versions">
              ${rest.map(versionItem)}
            </ol>
          </details>`
    }
  </section>`;
}

function versionItem({ version, before }: { version: AuthoredVersion; before: AuthoredVersion | null }): Html {
  const old = before === null ? [] : sentencesOf(before.rules);
  const sentences = sentencesOf(version.rules);
  return html`<li>
    <p>
      <strong>Version ${version.version}</strong>
      <span class="soft">
        ${version.definedAt === null ? 'built in' : `${momentOf(version.definedAt)}, by ${authorOf(version)}`}
      </span>
    </p>
    <ul class="rules">
      ${sentences.map((sentence, at) =>
        old[at] !== undefined && old[at] !== sentence
          ? html`<li><strong>${sentence}</strong> <span class="soft">Before: ${old[at]}</span></li>`
          : html`<li>${sentence}</li>`,
      )}
    </ul>
  </li>`;
}

/** Who defined a version, in words. */
function authorOf({ actor }: AuthoredVersion): string {
  if (actor === null) return 'nobody';
  if (actor.startsWith('operator:')) return `${actor.slice('operator:'.length)} (operator)`;
  return actor.startsWith('application:') ? 'the application, by the API' : actor;
}
