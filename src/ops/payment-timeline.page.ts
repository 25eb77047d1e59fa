import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { isFulfillmentEvent } from '../fulfillment/fulfillment.js';
import type { Attempt, Delivery } from '../fulfillment/webhook-deliveries.pg.js';
import { callbackSource } from '../payments/evidence.js';
import type { CallbackSignature } from '../payments/payment-gateway.js';
import type { Terms } from '../payments/payment.js';
import { happenedAt } from '../payments/time-travel.js';
import type { StoredMessage } from '../platform/event-store/event-store.pg.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { paymentPath, secondsOf, timeOf } from './console-text.page.js';
import { eventInWords } from './event-words.js';
import { textOf, verdictOn } from './kept-message.js';
import { timelineRows, type Row } from './timeline-rows.js';
import type { PaymentRecord } from './timeline-reader.pg.js';

/** A message with what the present version makes of it. */
export interface Evidence extends StoredMessage {
  /** What it says, in a few words. */
  says: string;
  /** Null for an answer to a question, which carries none. */
  signature: CallbackSignature | null;
}

export interface Life extends PaymentRecord {
  evidence: readonly Evidence[];
}

type LifeRow = Row<Evidence, Delivery>;

const rowsAtMost = 300;

/** What was heard, what was decided, and what was told, side by side. What came after version `until` is marked. */
export function timelinePart(life: Life, until: number): Html {
  const { loaded, fulfillment, evidence, deliveries, endpoints } = life;
  const { terms } = loaded.payment;
  const rows = timelineRows({
    paymentId: terms.id,
    events: loaded.events,
    fulfillment,
    messages: evidence,
    deliveries,
  });
  const shown = rows.slice(-rowsAtMost);
  const context = { terms, until, endpoints };
  return html`<section aria-labelledby="timeline">
    <h2 id="timeline">Timeline</h2>
    ${shown.length < rows.length ? html`<p class="note">The ${rows.length - shown.length} oldest steps are left out; <code>timeline ${terms.id}</code> on the command line has them all.</p>` : nothing}
    <div class="columns" aria-hidden="true"><span></span><span>Heard</span><span>Decided</span><span>Told</span></div>
    <ol class="steps">
      ${shown.map((row) => stepOf(row, context))}
    </ol>
  </section>`;
}

interface Context {
  terms: Terms;
  until: number;
  endpoints: ReadonlyMap<string, string>;
}

const stepOf = ({ at, heard, decided, told }: LifeRow, context: Context): Html =>
  html`<li class="step">
    <h3>${timeOf(at)}</h3>
    ${cell(
      'Heard',
      heard.map(({ message, since }) => item(since, context, nothing, evidenceOf(message, at))),
    )}
    ${cell(
      'Decided',
      decided.map(({ event, since }) => item(since, context, marksOf(event), decisionOf(event, context.terms, at))),
    )}
    ${cell(
      'Told',
      told.map(({ delivery, since }) => item(since, context, nothing, deliveryOf(delivery, context.endpoints, at))),
    )}
  </li>`;

/** The name of a column stands in each of its cells: on a phone the cells are below each other, and a reader hears it anyway. */
const cell = (name: string, items: readonly Html[]): Html =>
  items.length === 0
    ? html`<div class="cell none"></div>`
    : html`<div class="cell">
        <p class="of">${name}</p>
        ${items}
      </div>`;

const item = (since: number, { until }: Context, marks: Html, body: Html): Html =>
  html`<article class="item${since > until ? ' later' : ''}" data-since="${since}" ${marks}>
    <span class="badge unknown">not known yet</span> ${body}
  </article>`;

/** By these the slider names a version, and links lead to an event. */
function marksOf(event: RecordedEvent): Html {
  if (isFulfillmentEvent(event)) return nothing;
  const { version, type, recordedAt } = event;
  const name = `${type}, ${secondsOf(recordedAt)}`;
  return html`id="event-${version}" data-version="${version}" data-name="${name}"`;
}

/** Nothing where it is the second that the row begins with. */
const unless = (begins: Instant, at: Instant, shown: Html): Html =>
  secondsOf(begins) === secondsOf(at) ? nothing : shown;

/** Who acted, in a word; the whole name of an application stands in the data. */
const actorIn = (actor: string): string =>
  actor.startsWith('application:') ? 'the application' : actor.replace(/^operator:/, 'operator ');

function decisionOf(event: RecordedEvent, terms: Terms, begins: Instant): Html {
  const { version, type, actor, recordedAt, data, streamId, correlationId, causationId } = event;
  const happened = streamId === terms.id ? happenedAt(event) : null;
  const number =
    streamId === terms.id
      ? html`<a href="${paymentPath(terms.id)}?asOf=${version}" aria-label="As of version ${version}, ${type}"
          >#${version}</a
        >`
      : html`<span class="soft">goods</span>`;
  return html`<p class="what">${number} <strong>${type}</strong></p>
    <p>${eventInWords(event, terms)}</p>
    <p class="soft">
      by ${actorIn(actor)}${unless(begins, recordedAt, html` at ${timeOf(recordedAt)}`)}
      ${
        happened === null
          ? nothing
          : unless(
              recordedAt,
              happened,
              html`<br />happened at ${timeOf(happened)} by the gateway’s clock, recorded here at ${timeOf(recordedAt)}`,
            )
      }
    </p>
    ${folded(`Data of ${type}`, `${JSON.stringify(data, null, 2)}\n\nactor       ${actor}\ncorrelation ${correlationId}\ncausation   ${causationId}`)}`;
}

const verdicts: Readonly<Record<StoredMessage['status'], string>> = {
  applied: 'applied',
  matched: 'applied later',
  unmatched: 'no payment found',
  quarantined: 'in quarantine',
};

function evidenceOf(message: Evidence, begins: Instant): Html {
  const { id, source, says, status, reason, signature, receivedAt, receipts, lastReceivedAt, headers } = message;
  const isCallback = source === callbackSource;
  const tone = status === 'applied' || status === 'matched' ? 'good' : 'warn';
  return html`<p class="what">
      <strong>${isCallback ? 'Callback' : 'Answer to a question'}</strong>
      <span class="badge ${tone}">${verdicts[status]}</span>
    </p>
    <p>${says}${reason === null ? '' : ` (${reason})`}</p>
    <p class="soft">
      ${unless(begins, receivedAt, html`at ${timeOf(receivedAt)} `)}
      ${receipts > 1 ? html`received ${receipts} times, last at ${timeOf(lastReceivedAt)} ` : nothing}
      ${signature === null ? nothing : html`signature ${verdictOn(signature, headers)}`}
    </p>
    ${folded(`Bytes and headers, ${id}`, `${headersOf(message)}\n${bodyOf(message)}`)}`;
}

/** The same closed list as at intake: what else may have come into the table is not for the page. */
const shownHeaders = ['hmac', 'content-type', 'content-length', 'user-agent', 'date'];

const headersOf = ({ headers }: StoredMessage): string =>
  shownHeaders.flatMap((name) => (headers?.[name] === undefined ? [] : [`${name}: ${headers[name]}\n`])).join('');

const bodyAtMost = 16_384;

/** The text as it came, and hex where it is none. */
function bodyOf({ body }: StoredMessage): string {
  const cut = body.length > bodyAtMost ? `\n… ${String(body.length - bodyAtMost)} more bytes` : '';
  const start = body.subarray(0, bodyAtMost);
  const text = textOf(body);
  if (text !== null) return visible(text.slice(0, bodyAtMost)) + cut;
  return `not UTF-8: ${start.toString('hex')}${cut}`;
}

const deliveryTones: Readonly<Record<Delivery['status'], string>> = {
  waiting: '',
  delivered: 'good',
  dead: 'bad',
  cancelled: 'warn',
};

function deliveryOf(delivery: Delivery, endpoints: ReadonlyMap<string, string>, begins: Instant): Html {
  const { id, sequence, type, status, endpointId, attempts, attemptCount, dueAt, createdAt } = delivery;
  const last = attempts.at(-1);
  return html`<p class="what">
      <strong>${type}</strong>
      <span class="badge ${deliveryTones[status]}">${status === 'dead' ? 'dead letter' : status}</span>
    </p>
    <p>#${sequence} to ${endpoints.get(endpointId) ?? `endpoint ${endpointId}, which is gone`}</p>
    <p class="soft">
      ${unless(begins, createdAt, html`queued at ${timeOf(createdAt)}; `)}
      ${attemptCount === 1 ? '1 attempt' : `${String(attemptCount)} attempts`}${last ? html`: ${last.outcome}${codeOf(last)}${unless(begins, last.at, html` at ${timeOf(last.at)}`)}` : nothing}${dueAt === null ? nothing : html`, tried next at ${timeOf(dueAt)}`}
    </p>
    ${attempts.length === 0 ? nothing : folded(`Attempts, ${id}`, attempts.map(attemptLine).join('\n'))}`;
}

const codeOf = ({ status }: Attempt): string => (status === null ? '' : ` ${String(status)}`);

function attemptLine(attempt: Attempt): string {
  const { attempt: number, at, outcome, durationMs, answer } = attempt;
  const said = answer === null ? '' : `\n   ${visible(answer)}`;
  return `${String(number)}. ${secondsOf(at)}  ${outcome}${codeOf(attempt)}, ${String(durationMs)} ms${said}`;
}

/** Text of others, with a sign in the place of what could not be seen. */
const visible = (text: string): string => text.replace(/[^\P{C}\n\t]/gu, '\ufffd');

const folded = (name: string, text: string): Html => {
  const [title = '', detail = ''] = name.split(/, (.*)/s);
  return html`<details>
    <summary>${title}${detail === '' ? nothing : html`<span class="hidden"> of ${detail}</span>`}</summary>
    <pre tabindex="0">${text}</pre>
  </details>`;
};
