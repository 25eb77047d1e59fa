import { asset } from '../platform/http/assets.controller.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { inlinePolicy, type DefinedPolicy } from '../payments/policies.js';
import { consoleLayout, type Viewer } from './console.page.js';
import { sentencesOf } from './policy-words.js';

/** What the pages of policies look like beyond the console's own. */
export const policyStyle = html`<link
  rel="stylesheet"
  href="${asset('policies.css', new URL('./policies.css', import.meta.url))}"
/>`;

/** One application's policies: as many as the page shows. */
export interface ApplicationPolicies {
  application: string;
  policies: readonly DefinedPolicy[];
  /** Whether there are more than these. */
  more: boolean;
}

/** Where the simulation of a policy is. */
export const whatIfPath = (application: string, policy: string): string =>
  `/ops/policies/${encodeURIComponent(application)}/${encodeURIComponent(policy)}`;

/** A name for a new policy that was not acceptable, and why. */
export interface RefusedName {
  typed: string;
  fault: string;
}

/** The policies of applications. `next` leads to the applications after these. */
export const policiesPage = (
  viewer: Viewer,
  applications: readonly ApplicationPolicies[],
  next: string | null,
  refused: RefusedName | null = null,
): Html =>
  consoleLayout({
    title: refused === null ? 'Policies' : 'Not acceptable: Policies',
    current: 'policies',
    viewer,
    body: html`${policyStyle}
      <h1>Policies</h1>
      <p>
        A policy says when a payment is paid, and what becomes of money that is short, too much or late. Each payment
        keeps the version that it began with. “What if” decides past payments anew under other rules, and changes
        nothing; from there the rules can be saved as the next version.
      </p>
      ${applications.length === 0 ? html`<p>There is no application here.</p>` : applications.map((each) => policiesOf(viewer, each, refused))}
      ${next === null ? nothing : html`<p><a href="${next}">More applications</a></p>`}`,
  });

const policiesOf = (
  viewer: Viewer,
  { application, policies, more }: ApplicationPolicies,
  refused: RefusedName | null,
): Html =>
  html`<section>
    <h2>${application}</h2>
    <div class="scroll" role="region" tabindex="0" aria-label="Policies of ${application}">
      <table class="lines">
        <thead>
          <tr>
            <th scope="col">Policy</th>
            <th scope="col">Newest version</th>
            <th scope="col">Rules</th>
            <th scope="col">Change</th>
          </tr>
        </thead>
        <tbody>
          ${policies.map((policy) => row(application, policy))} ${more ? nothing : inlineRow(application)}
        </tbody>
      </table>
    </div>
    ${
      more
        ? html`<p>
            <a href="/ops/policies?application=${encodeURIComponent(application)}">All policies of ${application}</a>
          </p>`
        : nothing
    }
    ${viewer.role === 'act' ? newPolicy(application, refused) : nothing}
  </section>`;

const newPolicy = (application: string, refused: RefusedName | null): Html =>
  html`<form method="get" action="/ops/policies/new" class="inline">
    <input type="hidden" name="application" value="${application}" />
    <div class="field">
      <label for="new-${application}">A new policy for ${application}</label>
      <input
        id="new-${application}"
        name="name"
        value="${refused?.typed ?? ''}"
        maxlength="64"
        required
        autocapitalize="none"
        spellcheck="false"
        ${refused === null ? nothing : html`aria-invalid="true" aria-describedby="new-fault"`}
      />
      ${refused === null ? nothing : html`<p class="fault" id="new-fault" role="alert">${refused.fault}</p>`}
    </div>
    <button class="quiet">Begin</button>
  </form>`;

const row = (application: string, { name, version, rules, definedAt }: DefinedPolicy): Html =>
  html`<tr>
    <th scope="row">${name}</th>
    <td>${version}<br /><small>${definedAt === null ? 'built in' : `of ${momentOf(definedAt)}`}</small></td>
    <td>${ruleList(sentencesOf(rules))}</td>
    <td>${whatIf(application, name)}</td>
  </tr>`;

const inlineRow = (application: string): Html =>
  html`<tr>
    <th scope="row">${inlinePolicy}</th>
    <td>none</td>
    <td>Payments that brought rules of their own.</td>
    <td>${whatIf(application, inlinePolicy)}</td>
  </tr>`;

const whatIf = (application: string, name: string): Html =>
  html`<a href="${whatIfPath(application, name)}" aria-label="What if, for ${name} of ${application}">What if</a>`;

export const ruleList = (sentences: readonly string[]): Html =>
  html`<ul class="rules">
    ${sentences.map((sentence) => html`<li>${sentence}</li>`)}
  </ul>`;

/** `2026-01-31 12:00 UTC` */
export const momentOf = (instant: string): string => `${instant.slice(0, 16).replace('T', ' ')} UTC`;
