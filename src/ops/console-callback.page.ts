import { html, nothing, type Html } from '../platform/http/html.js';
import { callbackReason } from './console-queue.js';
import { timeOf } from './console-words.js';
import { consoleLayout, reasonField, type Viewer } from './console.page.js';
import type { KeptCallback } from './kept-callback.pg.js';

/** One callback: what came, what became of it, and what can be done about it. `result` is that of reprocessing it. */
export const callbackPage = (viewer: Viewer, kept: KeptCallback, result: string | null): Html =>
  consoleLayout({
    title: 'Callback',
    viewer,
    body: html`<p class="back"><a href="/ops?kind=callback">Callbacks that wait</a></p>
      <h1>Callback of the gateway</h1>
      ${result === null ? nothing : resultNote(result, kept)} ${facts(kept)}
      ${isOpen(kept) ? action(viewer, kept.message.id) : nothing} ${body(kept)} ${headers(kept)} ${caused(kept)}`,
  });

const isOpen = ({ message: { status } }: KeptCallback): boolean => status === 'unmatched' || status === 'quarantined';

/** Why a callback that was to be applied stays as it is. Faults of reading are told as on the queue. */
const refusals: ReadonlyMap<string, string> = new Map(
  Object.entries({
    not_a_callback: 'It is an answer to a question, which is asked again with “reconcile” on the payment.',
    hash_differs: 'It is not as it was stored: somebody has changed it in the database. Run “finality verify”.',
    hash_missing: 'Its hash is gone: somebody has changed it in the database. Run “finality verify”.',
    no_signature_kept:
      'Its signature was not kept. Where you trust it: “callbacks reprocess --signed-with-retired-key”.',
    unknown_key:
      'It was signed with a key that is not configured any more. Where you trust it: “callbacks reprocess --signed-with-retired-key”.',
    wrong_key: 'It was signed with a key that may not speak of this.',
  }),
);

/** What is told is what is stored by now, whatever the address says. */
const resultNote = (result: string, kept: KeptCallback): Html =>
  isOpen(kept)
    ? html`<p class="fault" role="alert">
        It was not applied. ${refusals.get(result) ?? `It stays as it is: ${callbackReason(result)}.`}
      </p>`
    : html`<p class="note" role="status">It is applied. What it caused stands below.</p>`;

const hashes: Readonly<Record<KeptCallback['message']['hash'], string>> = {
  fits: 'As it was stored',
  differs: 'NOT as it was stored: somebody has changed it in the database',
  none: 'No hash was kept with it',
};

function facts({ message, signature, paymentId, says }: KeptCallback): Html {
  const { id, status, reason, receivedAt, lastReceivedAt, receipts, subject, hash } = message;
  const again = receipts === 1 ? '' : `, ${String(receipts)} times, last at ${timeOf(lastReceivedAt)}`;
  const verdict =
    status === 'applied' || status === 'matched' ? 'Applied' : `Without effect: ${callbackReason(reason ?? status)}`;
  return html`<dl class="pairs card">
    ${pair('Verdict', html`<span class="badge ${status === 'applied' || status === 'matched' ? 'good' : 'warn'}">${status}</span> ${verdict}.`)}
    ${pair('Received', `${timeOf(receivedAt)} UTC${again}`)}
    ${pair('Says', says === null ? 'see below' : says.kind === 'unreadable' ? `cannot be read (${says.reason})` : `${says.kind} ${says.report.status}`)}
    ${pair('Track id', subject === null ? 'not known' : html`<code>${subject}</code>`)}
    ${pair('Payment', paymentId === null ? 'not known' : html`<a href="/ops/payments/${paymentId}"><code>${paymentId}</code></a>`)}
    ${pair('Signature', signature?.verdict ?? 'none: an answer to a question')} ${pair('Stored', hashes[hash])}
    ${pair('Id', html`<code>${id}</code>`)}
  </dl>`;
}

const pair = (name: string, value: Html | string): Html =>
  html`<div>
    <dt>${name}</dt>
    <dd>${value}</dd>
  </div>`;

const action = ({ role, csrfToken }: Viewer, id: string): Html =>
  role === 'view'
    ? html`<p class="soft">You are looking only. Whoever may act can apply it here.</p>`
    : html`<form method="post" action="/ops/callbacks/${id}/reprocess" class="card">
        <h2>Apply it anew</h2>
        <p>
          The stored bytes are read and decided upon as if they came now, once. Their signature has to be good by a key
          that is configured now.
        </p>
        <input type="hidden" name="csrf" value="${csrfToken}" />
        ${reasonField('reason')}
        <button>Reprocess</button>
      </form>`;

/** As text, and nothing of it as markup; in hex where it is no text. */
const body = ({ message: { body: bytes }, text }: KeptCallback): Html =>
  html`<h2>Body, ${bytes.length} bytes</h2>
    <pre class="scroll" tabindex="0" role="region" aria-label="Body">
${text === null ? hexOf(bytes) : visible(text)}</pre>`;

/** Controls and what turns the direction of reading stand as their code, so that a line says what it is. */
const visible = (text: string): string =>
  text.replace(/[^\P{C}\n\t]/gu, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`);

const hexOf = (bytes: Buffer): string => bytes.toString('hex').replace(/.{64}/g, '$&\n');

/** What tells where it is from. Whatever else was kept is not shown: a proxy may have put anything there. */
const headersShown: ReadonlySet<string> = new Set([
  'content-type',
  'content-length',
  'user-agent',
  'hmac',
  'date',
  'x-forwarded-for',
  'x-request-id',
]);

function headers({ message }: KeptCallback): Html {
  const shown = Object.entries(message.headers ?? {}).filter(([name]) => headersShown.has(name));
  return html`<h2>Headers</h2>
    ${
      shown.length === 0
        ? html`<p class="soft">None were kept.</p>`
        : html`<dl class="pairs card">
            ${shown.map(([name, value]) => pair(name, html`<code>${visible(value)}</code>`))}
          </dl>`
    }`;
}

const caused = ({ events, paymentId }: KeptCallback): Html =>
  html`<h2>What it caused</h2>
    ${
      events.length === 0
        ? html`<p class="soft">Nothing${paymentId === null ? ', since no payment is known' : ' yet'}.</p>`
        : html`<ol class="card events">
            ${events.map(
              ({ version, type, recordedAt, actor }) =>
                html`<li>
                  <strong>${type}</strong> <span class="soft">#${version}, ${timeOf(recordedAt)} UTC, by ${actor}</span>
                </li>`,
            )}
          </ol>`
    }`;
