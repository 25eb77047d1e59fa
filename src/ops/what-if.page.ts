import { html, nothing, type Html } from '../platform/http/html.js';
import type { Simulation } from '../payments/simulations.pg.js';
import { consoleLayout, type Viewer } from './console.page.js';
import { momentOf, policyStyle, ruleList, whatIfPath } from './policies.page.js';
import { latePaymentWords, overpaymentWords, paidWhenWords, sentencesOf, underpaymentWords } from './policy-words.js';
import { fields, queryOf, type Asked, type Field, type WhatIfForm } from './what-if-form.js';
import { changedTable, transitionList, totalsTables } from './what-if-tables.page.js';

/** A simulation that was made. */
export interface Simulated {
  asked: Asked;
  simulation: Simulation;
  tookMs: number;
}

export interface WhatIfView {
  viewer: Viewer;
  application: string;
  policy: string;
  /** The newest version; null for payments that brought their own rules. */
  version: number | null;
  form: WhatIfForm;
  simulated: Simulated | null;
}

/** What stands around a what-if where its rules can be saved. */
export interface WhatIfSurroundings {
  /** What became of a request to save. */
  notice?: Html;
  /** The offer to save, or why there is none. */
  saving?: Html;
  versions?: Html;
  /** Policies of the application: of a policy that is to be new, the ones whose past it can be tried on. */
  triedOn?: readonly string[];
}

/** A policy's simulation: the form with what was typed, and below it what came of it. */
export function whatIfPage(view: WhatIfView, around: WhatIfSurroundings = {}): Html {
  const { viewer, application, policy, form, simulated } = view;
  const { notice = nothing, saving = nothing, versions = nothing, triedOn = null } = around;
  return consoleLayout({
    title: `${form.faults.size > 0 ? 'Not acceptable: ' : ''}What if, ${policy} of ${application}`,
    viewer,
    body: html`${policyStyle}
      <nav aria-label="Where this is"><a href="/ops/policies">Policies</a> / ${application} / ${policy}</nav>
      <h1>${triedOn === null ? `What if “${policy}” were otherwise?` : `A new policy, “${policy}”`}</h1>
      ${notice} ${introduction(view, triedOn)} ${form.faults.size === 0 ? nothing : faultSummary(form)}
      ${formOf(view, triedOn)} ${simulated === null ? nothing : resultOf(view, simulated)} ${saving} ${versions}`,
  });
}

function introduction({ application, version, form }: WhatIfView, triedOn: readonly string[] | null): Html {
  if (triedOn !== null)
    return html`<p>
      No payment of <strong>${application}</strong> has carried it yet. Its rules are tried on past payments that
      carried “${form.typed.of}”. Nothing is changed or sent. The form begins with the rules that “default” has.
    </p>`;
  const carried =
    version === null
      ? 'Payments that brought rules of their own; the form begins with the built-in default.'
      : `The form begins with version ${String(version)}, the newest.`;
  return html`<p>
    Past payments of <strong>${application}</strong> that carried this policy, in any version, are decided anew from the
    same facts. Nothing is changed or sent. ${carried}
  </p>`;
}

const names: Readonly<Record<Field, string>> = {
  paidWhen: 'Paid when',
  count: 'Confirmations',
  shortTolerance: 'Short: let pass, percent',
  shortThen: 'Short: then',
  overTolerance: 'Too much: let pass, percent',
  overThen: 'Too much: then',
  lateWindow: 'Late: judged for',
  lateThen: 'Late: then',
  of: 'Tried on payments of',
  from: 'First day',
  to: 'Last day',
  after: 'Part',
};

const faultSummary = ({ faults }: WhatIfForm): Html =>
  html`<div class="fault" role="alert">
    <p>Nothing was simulated or saved. Please look at:</p>
    <ul>
      ${fields
        .filter((field) => faults.has(field))
        .map(
          (field) =>
            html`<li>
              ${field === 'after' ? names.after : html`<a href="#${field}">${names[field]}</a>`}
              ${faults.get(field) ?? ''}.
            </li>`,
        )}
    </ul>
  </div>`;

function formOf({ application, policy, form }: WhatIfView, triedOn: readonly string[] | null): Html {
  const own = `${whatIfPath(application, policy)}${triedOn === null ? '' : '?of=default'}`;
  return html`<form method="get" action="${whatIfPath(application, policy)}" class="card" novalidate>
    <div class="groups">
      <fieldset>
        <legend>Paid</legend>
        ${choice(form, 'paidWhen', 'Paid when', paidWhenWords)}
        ${input(form, 'count', 'Confirmations', 'For “has its confirmations”, 1 to 1000; empty otherwise.', 'numeric')}
      </fieldset>
      <fieldset>
        <legend>Short</legend>
        ${input(form, 'shortTolerance', 'Let pass, percent', '0 to 60, such as 1.5', 'decimal')}
        ${choice(form, 'shortThen', 'If shorter than that', underpaymentWords)}
      </fieldset>
      <fieldset>
        <legend>Too much</legend>
        ${input(form, 'overTolerance', 'Let pass, percent', '0 to 60, such as 1.5', 'decimal')}
        ${choice(form, 'overThen', 'If more than that', overpaymentWords)}
      </fieldset>
      <fieldset>
        <legend>Late</legend>
        ${input(form, 'lateWindow', 'Judged for', 'Days, hours, minutes: PT72H, P3D, P1DT12H; 30 days at most', 'text')}
        ${choice(form, 'lateThen', 'If it comes within that', latePaymentWords)}
      </fieldset>
      <fieldset>
        <legend>Payments created (UTC)</legend>
        ${triedOn === null ? nothing : choice(form, 'of', 'That carried', asWords(triedOn))}
        ${input(form, 'from', 'First day', 'Empty: from the beginning', 'date')}
        ${input(form, 'to', 'Last day', 'It is included. Empty: until now', 'date')}
      </fieldset>
    </div>
    <p class="buttons">
      <button>Simulate</button>
      <a href="${own}">${triedOn === null ? "Back to the policy's own rules" : 'Begin anew'}</a>
    </p>
  </form>`;
}

const asWords = (names: readonly string[]): Readonly<Record<string, string>> =>
  Object.fromEntries(names.map((name) => [name, name]));

/** What ties a control to its hint and its fault, for those who do not see them side by side. */
const described = ({ faults }: WhatIfForm, field: Field, hinted: boolean): Html => {
  const ids = [...(hinted ? [`${field}-hint`] : []), ...(faults.has(field) ? [`${field}-fault`] : [])];
  const described = ids.length === 0 ? nothing : html` aria-describedby="${ids.join(' ')}"`;
  return faults.has(field) ? html`${described} aria-invalid="true"` : described;
};

const faultOf = ({ faults }: WhatIfForm, field: Field): Html => {
  const fault = faults.get(field);
  return fault === undefined ? nothing : html`<p class="fault" id="${field}-fault">It ${fault}.</p>`;
};

const kinds = {
  numeric: html`type="text" inputmode="numeric"`,
  decimal: html`type="text" inputmode="decimal"`,
  text: html`type="text"`,
  date: html`type="date"`,
};

/** A day that cannot be is shown as text: a browser leaves its own field for days empty then. */
const input = (form: WhatIfForm, field: Field, label: string, hint: string, kind: keyof typeof kinds): Html =>
  html`<div class="field">
    <label for="${field}">${label}</label>
    <input
      ${kinds[kind === 'date' && form.faults.has(field) ? 'text' : kind]}
      id="${field}"
      name="${field}"
      value="${form.typed[field]}"
      ${described(form, field, true)}
    />
    <p class="soft" id="${field}-hint">${hint}</p>
    ${faultOf(form, field)}
  </div>`;

/** A choice of what there is; something else that was typed into the address is shown, so that the fault is seen. */
function choice(form: WhatIfForm, field: Field, label: string, words: Readonly<Record<string, string>>): Html {
  const typed = form.typed[field];
  const options = Object.entries(words).map(([value, text]) => option(value, text, value === typed));
  const unknown = Object.hasOwn(words, typed) ? nothing : option(typed, `“${typed}”`, true);
  return html`<div class="field">
    <label for="${field}">${label}</label>
    <select id="${field}" name="${field}" ${described(form, field, false)}>
      ${unknown}${options}
    </select>
    ${faultOf(form, field)}
  </div>`;
}

const option = (value: string, text: string, chosen: boolean): Html =>
  html`<option value="${value}" ${chosen ? html` selected` : nothing}>${text}</option>`;

function resultOf(view: WhatIfView, { asked, simulation, tookMs }: Simulated): Html {
  const { payments, events, differing, totals, transitions, changed, decidedAt } = simulation;
  return html`<section aria-labelledby="result" class="result">
    <h2 id="result">What would have been</h2>
    ${ruleList(sentencesOf(asked.rules))}
    <p class="lead" role="status">
      <strong>${payments}</strong> ${payments === 1 ? 'payment' : 'payments'} decided anew,
      <strong>${differing}</strong> would stand differently.
    </p>
    ${part(view, asked, simulation)}
    <p class="soft">${events} events in ${Math.ceil(tookMs)} ms; consequences drawn until ${momentOf(decidedAt)}.</p>
    ${transitionList(transitions, differing)} ${totalsTables(totals)} ${changedTable(changed, differing)}
  </section>`;
}

/** What of the past the numbers stand for, and where the rest is. They are never added up here. */
function part(
  { application, policy, form: { typed } }: WhatIfView,
  { from, to, after }: Asked,
  { next }: Simulation,
): Html {
  const path = whatIfPath(application, policy);
  const span =
    from === undefined && to === undefined
      ? 'All payments that carried the policy'
      : `Payments created ${from === undefined ? '' : `from ${typed.from} on`}${from !== undefined && to !== undefined ? ', ' : ''}${to === undefined ? '' : `until the end of ${typed.to}`} (UTC)`;
  if (next === null && after === undefined) return html`<p>${span}.</p>`;
  const ids = [
    ...(after === undefined ? [] : [html`after <code>${after}</code>`]),
    ...(next === null ? [] : [html`up to <code>${next}</code>`]),
  ];
  return html`<div class="note">
    <p>
      <strong>This is a part.</strong> ${span}, but of them only those with ids
      ${ids.map((each, at) => html`${at > 0 ? ' and ' : ''}${each}`)}, in the order in which they were made: a
      simulation ends after four seconds. The numbers below are of this part alone.
    </p>
    <p>
      ${after === undefined ? nothing : html`<a href="${path}?${queryOf({ ...typed, after: '' })}">The first part</a> `}
      ${next === null ? 'Nothing comes after it.' : html`<a href="${path}?${queryOf({ ...typed, after: next })}">The next part</a>`}
    </p>
  </div>`;
}
