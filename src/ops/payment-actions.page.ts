import { html, nothing, type Html } from '../platform/http/html.js';
import { availableOf, confirmedOf } from '../payments/allocation.js';
import { plain } from '../payments/decimal.js';
import { openReviewOf } from '../payments/money.js';
import { isReportable, type Payment } from '../payments/payment.js';
import { showAmount } from '../payments/payment-view.js';
import { reviewWords } from '../payments/sentences.js';
import { paymentPath, secondsOf } from './console-text.page.js';
import { actionPaths, isCancellable, reasonAtMost, type Action, type Field, type Sent } from './payment-forms.js';
import type { PaymentRecord } from './timeline-reader.pg.js';

interface Forms {
  csrfToken: string;
  /** What makes sending one of these forms twice the same as sending it once. */
  request: string;
  record: PaymentRecord;
  /** A form that was sent and not done; shown as it was typed. */
  sent: Sent | null;
}

/** What an operator can do about a payment now. */
export function actionsPart(forms: Forms): Html {
  const { payment } = forms.record.loaded;
  const all = [
    reviewForm(forms, payment),
    refundForm(forms, payment),
    redeliverForm(forms),
    reconcileForm(forms),
    reprocessForm(forms),
    cancelForm(forms, payment),
  ];
  return html`<section aria-labelledby="actions" class="actions">
    <h2 id="actions">Act on it now</h2>
    <p class="soft">Each action takes a reason. Who did it, and why, is kept in the record of operators’ actions.</p>
    ${all}
  </section>`;
}

export const actionNames: Readonly<Record<Action, string>> = {
  review: 'Decide the review',
  refund: 'Refund',
  redeliver: 'Send a webhook again',
  reconcile: 'Ask the gateway now',
  reprocess: 'Apply kept callbacks',
  cancel: 'Cancel the payment',
};

function form(forms: Forms, action: Action, about: Html | string, body: Html, open = false): Html {
  const { csrfToken, request, record } = forms;
  const sent = sentOf(forms, action);
  return html`<details class="card act" id="${action}" ${open || sent ? html`open` : nothing}>
    <summary>${actionNames[action]}</summary>
    <p>${about}</p>
    <form method="post" action="${paymentPath(record.loaded.payment.terms.id)}/${actionPaths[action]}" novalidate>
      <input type="hidden" name="csrf" value="${csrfToken}" />
      <input type="hidden" name="request" value="${request}" />
      ${body} ${reasonField(action, sent)}
      <p class="buttons"><button>${actionNames[action]}</button></p>
    </form>
  </details>`;
}

const sentOf = ({ sent }: Forms, action: Action): Sent | null => (sent?.action === action ? sent : null);

/** What ties a control to its hint and its fault, for those who do not see them side by side. */
function described(action: Action, name: Field, sent: Sent | null, hinted: boolean): Html {
  const faulty = sent?.faults.has(name) ?? false;
  const ids = [...(hinted ? [`${action}-${name}-hint`] : []), ...(faulty ? [`${action}-${name}-fault`] : [])];
  return html`${ids.length === 0 ? nothing : html`aria-describedby="${ids.join(' ')}"`}
  ${faulty ? html`aria-invalid="true"` : nothing}`;
}

function faultOf(action: Action, name: Field, sent: Sent | null): Html {
  const fault = sent?.faults.get(name);
  return fault === undefined ? nothing : html`<p class="fault" id="${action}-${name}-fault">It ${fault}.</p>`;
}

const reasonField = (action: Action, sent: Sent | null): Html =>
  html`<div class="field">
    <label for="${action}-reason">Reason</label>
    <textarea
      id="${action}-reason"
      name="reason"
      rows="2"
      required
      minlength="3"
      maxlength="${reasonAtMost}"
      ${described(action, 'reason', sent, false)}
    >
${sent?.typed.reason ?? ''}</textarea>
    ${faultOf(action, 'reason', sent)}
  </div>`;

const input = (forms: Forms, action: Action, name: Field, label: string, hint: string): Html => {
  const sent = sentOf(forms, action);
  return html`<div class="field">
    <label for="${action}-${name}">${label}</label>
    <input
      id="${action}-${name}"
      name="${name}"
      value="${sent?.typed[name] ?? ''}"
      autocomplete="off"
      ${described(action, name, sent, true)}
    />
    <p class="soft" id="${action}-${name}-hint">${hint}</p>
    ${faultOf(action, name, sent)}
  </div>`;
};

const target = (forms: Forms, action: 'review' | 'refund', hint: string): Html =>
  html`<div class="groups">
    ${input(forms, action, 'address', 'Address', hint)}
    ${input(forms, action, 'network', 'Network', 'Of the address: TRON, BEP20, …')}
    ${input(forms, action, 'currency', action === 'refund' ? 'Currency' : 'Coin', action === 'refund' ? 'The payment’s (if empty), or a coin that was paid, which is then sent' : 'USDT, …; empty: the one that was paid')}
    ${input(forms, action, 'memo', 'Memo', 'Only where the network has them')}
  </div>`;

const decisionWords = {
  accept: 'Accept: what is there is enough',
  reject: 'Reject: it will not be completed; the money stays as it is',
  credit: 'Credit: the money goes to the customer’s credit',
  refund: 'Refund: the money goes back',
} as const;

function reviewForm(forms: Forms, payment: Payment): Html {
  const review = 'money' in payment ? openReviewOf(payment.money) : null;
  const sent = sentOf(forms, 'review');
  if (review === null && sent === null) return nothing;
  const about =
    review === null
      ? 'Nothing about this payment waits for a decision any more.'
      : `A person is asked since ${secondsOf(review.openedAt)}: ${review.reasons.map((reason) => reviewWords[reason]).join('; ')}. A decision is made once.`;
  const known = payment.terms.refundTo;
  return form(
    forms,
    'review',
    about,
    html`<fieldset>
        <legend>Decision</legend>
        ${Object.entries(decisionWords).map(
          ([value, words]) =>
            html`<label class="choice"
              ><input
                type="radio"
                name="decision"
                value="${value}"
                required
                ${sent?.typed.decision === value ? html`checked` : nothing}
              />
              ${words}</label
            >`,
        )}
        ${faultOf('review', 'decision', sent)}
      </fieldset>
      <details ${sent?.typed.decision === 'refund' ? html`open` : nothing}>
        <summary>Where a refund goes</summary>
        ${target(forms, 'review', known ? `Empty: ${known.address} on ${known.network}, as the payment says` : 'The payment names none: a refund needs one')}
      </details>`,
    true,
  );
}

function refundForm(forms: Forms, payment: Payment): Html {
  if (!isReportable(payment) || payment.status === 'pending') return nothing;
  const available = availableOf(payment, confirmedOf(payment));
  const { currency } = payment.terms;
  if (available?.lte('0') && sentOf(forms, 'refund') === null) return nothing;
  const most =
    available === null
      ? 'What the money is worth is not known yet; name a coin that was paid.'
      : `At most ${showAmount(plain(available), currency)} ${currency} can go back: what was received and confirmed, less what was returned.`;
  return form(
    forms,
    'refund',
    most,
    html`${input(forms, 'refund', 'amount', 'Amount', 'Empty: all that can be refunded')}
    ${target(forms, 'refund', 'Where the money goes; check it twice, nobody can call it back')}`,
  );
}

function redeliverForm(forms: Forms): Html {
  const { deliveries, endpoints } = forms.record;
  const sent = sentOf(forms, 'redeliver');
  if (deliveries.length === 0) return nothing;
  const chosen = sent?.typed.delivery ?? deliveries.find(({ status }) => status === 'dead')?.id;
  return form(
    forms,
    'redeliver',
    'Under the same id, so that a receiver that knows it already does nothing twice. The others of this payment that wait follow it.',
    html`<div class="field">
      <label for="redeliver-delivery">Webhook</label>
      <select id="redeliver-delivery" name="delivery" ${described('redeliver', 'delivery', sent, false)}>
        ${deliveries.map(
          ({ id, sequence, type, status, endpointId }) =>
            html`<option value="${id}" ${id === chosen ? html`selected` : nothing}>
              #${sequence} ${type}, ${status}, to ${endpoints.get(endpointId) ?? 'an endpoint that is gone'}
            </option>`,
        )}
      </select>
      ${faultOf('redeliver', 'delivery', sent)}
    </div>`,
  );
}

const reconcileForm = (forms: Forms): Html =>
  form(
    forms,
    'reconcile',
    'What it answers enters as evidence and is decided upon like in the looks of the service itself.',
    nothing,
  );

function reprocessForm(forms: Forms): Html {
  const { length } = forms.record.waiting;
  const sent = sentOf(forms, 'reprocess');
  if (length === 0 && sent === null) return nothing;
  return form(
    forms,
    'reprocess',
    `${length === 1 ? 'One callback' : `${String(length)} callbacks`} about this payment had a good signature and could not be applied. Each is applied once, by the same decision as at its coming.`,
    html`<label class="choice"
      ><input type="checkbox" name="retired" value="yes" ${sent?.typed.retired === 'yes' ? html`checked` : nothing} />
      Believe those, too, whose key was rotated away: no key of today bears out that they came from the gateway</label
    >`,
  );
}

const cancelForm = (forms: Forms, payment: Payment): Html =>
  isCancellable(payment) || sentOf(forms, 'cancel') !== null
    ? form(forms, 'cancel', 'Nobody has paid yet. What a payer sends after all is kept and asks for a person.', nothing)
    : nothing;
