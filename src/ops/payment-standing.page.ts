import type { RecordedEvent } from '../kernel/event.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { explain, type Explanation } from '../payments/explanation.js';
import { isFulfillable, labelsOf, progressOf } from '../payments/standing.js';
import { openReviewOf } from '../payments/money.js';
import type { Payment } from '../payments/payment.js';
import { reviewWords } from '../payments/sentences.js';
import type { AsOf } from '../payments/time-travel.js';
import { paymentPath, timeOf } from './console-text.page.js';
import { moneyPanel } from './payment-money.page.js';
import { sentencesOf } from './policy-words.js';

/** A payment at one of its versions. */
export interface Standing {
  payment: Payment;
  /** The events that were known then. */
  events: readonly RecordedEvent[];
  /** Null where it is as it stands now. */
  asOf: AsOf | null;
}

/** How a payment stands, or stood: its badges, the explanation and the money. All that the slider exchanges. */
export function standingPart({ payment, events, asOf }: Standing): Html {
  const explanation = explain(payment, events);
  return html`${asOf === null ? nothing : pastNote(asOf, payment)}
    <p class="badges">${badgesOf(payment)}</p>
    <div class="halves">
      <section class="card" aria-labelledby="why">
        <h2 id="why">Why it stands so</h2>
        <p class="lead">${explanation.sentence}</p>
        ${factsOf(payment, events, explanation)}
      </section>
      ${moneyPanel(payment)}
    </div>`;
}

/** What was true then, told apart from what was known. */
const pastNote = ({ time, version, newestVersion, learnedLater }: AsOf, { terms }: Payment): Html =>
  html`<div class="note past">
    <p>
      <strong>As it was at ${timeOf(time)}</strong>, by the ${version} of ${newestVersion} events that were known then.
      <a href="${paymentPath(terms.id)}">As it is now</a>
    </p>
    ${
      learnedLater.length === 0
        ? nothing
        : html`<p>Had happened by then, and was learnt later:</p>
            <ul class="rules">
              ${learnedLater.map(
                ({ type, version: later, happenedAt, recordedAt }) =>
                  html`<li>
                    <a href="#event-${later}">#${later} ${type}</a>: happened at ${timeOf(happenedAt)} by the gateway’s
                    clock, recorded here at ${timeOf(recordedAt)}
                  </li>`,
              )}
            </ul>`
    }
  </div>`;

const tones: Readonly<Record<Payment['status'], string>> = {
  created: '',
  pending: '',
  paid: 'good',
  expired: 'bad',
  failed: 'bad',
};

function badgesOf(payment: Payment): Html[] {
  const progress = progressOf(payment);
  const review = 'money' in payment ? payment.money.review : null;
  const badge = (text: string, tone = ''): Html => html`<span class="badge ${tone}">${text}</span> `;
  return [
    badge(payment.status, tones[payment.status]),
    badge(progress.replaceAll('_', ' '), progress === 'in_review' ? 'warn' : ''),
    isFulfillable(payment) ? badge('fulfillable', 'good') : badge('not fulfillable'),
    ...(review === null ? [] : [review.resolved === null ? badge('review open', 'warn') : badge('review decided')]),
    ...labelsOf(payment).map((label) => badge(label.replaceAll('_', ' '))),
  ];
}

function factsOf(payment: Payment, events: readonly RecordedEvent[], explanation: Explanation): Html {
  const { complete, blockedBy, waitingOn, missing, deadline, rule, evidence } = explanation;
  const reasons = ('money' in payment ? openReviewOf(payment.money)?.reasons : null) ?? [];
  const rows: [string, string | Html | null][] = [
    ['Complete', complete ? 'yes' : 'no'],
    ['Blocked by', blockedBy && html`<code>${blockedBy}</code>`],
    ['Waiting on', waitingOn],
    ['Missing', missing && `${missing.amount} ${missing.currency}`],
    ['Deadline', deadline && timeOf(deadline)],
    ['Review', reasons.length === 0 ? null : reasons.map((reason) => reviewWords[reason]).join('; ')],
    ['Decided by', html`<code>${rule.clause}</code> of policy ${rule.policy} version ${rule.version}`],
    ['Shown by', evidenceLinks(evidence, events)],
  ];
  return html`<dl class="why">
      ${rows.map(([name, value]) =>
        value === null
          ? nothing
          : html`<dt>${name}</dt>
              <dd>${value}</dd>`,
      )}
    </dl>
    <details>
      <summary>The policy that this payment carries</summary>
      <ul class="rules">
        ${sentencesOf(payment.terms.policy.rules).map((sentence) => html`<li>${sentence}</li>`)}
      </ul>
    </details>`;
}

const evidenceLinks = (ids: readonly string[], events: readonly RecordedEvent[]): Html =>
  html`${events
    .filter(({ id }) => ids.includes(id))
    .map(({ version, type }, at) => html`${at > 0 ? ', ' : ''}<a href="#event-${version}">#${version} ${type}</a>`)}`;
