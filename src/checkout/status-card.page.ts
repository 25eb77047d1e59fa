import type { Instant } from '../kernel/clock.js';
import { isReportable, type Payment } from '../payments/payment.js';
import { missingOf } from '../payments/standing.js';
import type { AsOf } from '../payments/time-travel.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { amountIn, facts } from './facts.page.js';
import type { Language } from './language.js';
import { textsIn } from './languages/texts-in.js';
import { notesOf } from './notes.js';
import { payBox } from './pay-to.page.js';
import { lateInWords, lessInWords, moreInWords } from './policy-words.js';
import { isAsking, isLive, situationOf, type Situation } from './situation.js';
import { steps } from './steps.page.js';
import { transactions } from './transactions.page.js';
import { fill, ltr, spaced } from './wording.js';

export interface Shown {
  token: string;
  /** The number of events behind it. */
  version: number;
  /** Where it is shown as it was: it leads nowhere then, and says what had happened and was not known. */
  past: AsOf | null;
}

/**
 * The part of the payer's page that changes: what was seen, what is missing, what to do. It tells nothing private. The
 * live stream sends this very markup.
 */
export function statusCard(payment: Payment, now: Instant, language: Language, shown: Shown): Html {
  const { token, version, past } = shown;
  const texts = textsIn(language);
  const situation = situationOf(payment, now);
  const { heading, lead, longer } = texts.stories[situation];
  const live = past === null && isLive(payment, situation, now);
  const { description } = payment.terms;
  return html`<main
    id="payment"
    class="card ${toneOf(situation)}"
    data-version="${version}"
    data-live="${live ? '1' : '0'}"
    data-stream="/pay/${token}/events?lang=${language}"
  >
    <p id="announcement" class="hidden" role="status">${heading}</p>
    ${past === null ? nothing : hindsight(past, language)}
    <h1>${heading}</h1>
    <p class="amount">${ltr(amountIn(payment.terms.amount, payment))}</p>
    ${description === null ? nothing : html`<p class="what" dir="auto">${description}</p>`}
    <p class="lead">${lead}</p>
    ${steps(payment, situation, language)} ${facts(payment, situation, language, now)}
    ${past === null ? ask(payment, situation, language) : nothing} ${transactions(payment, language, past !== null)}
    ${notes(notesOf(payment, situation, language, now))} ${isOver(situation) ? nothing : html`<h2>${texts.longer}</h2>`}
    <p>${longer}</p>
    ${policy(payment, situation, language, now)}
    ${
      live
        ? html`<noscript>
            <p><a class="button quiet" href="?lang=${language}">${texts.again}</a></p>
          </noscript>`
        : nothing
    }
    ${past === null ? back(payment, situation, language) : nothing}
  </main>`;
}

/** Whether there is nothing left that could take longer. */
const isOver = (situation: Situation): boolean => ['settled', 'refunded', 'closed', 'rejected'].includes(situation);

function toneOf(situation: Situation): string {
  switch (situation) {
    case 'settled':
      return 'tone-good';
    case 'partial':
    case 'elsewhere':
    case 'overdue':
    case 'in_review':
      return 'tone-warn';
    case 'closed':
    case 'rejected':
    case 'refunded':
      return 'tone-quiet';
    default:
      return 'tone-mark';
  }
}

/** What was known then and what was true then are told apart: the one by our time, the other by the gateway's. */
function hindsight({ time, learnedLater }: AsOf, language: Language): Html {
  const { past } = textsIn(language);
  const later = learnedLater.map(({ happenedAt, recordedAt }) =>
    fill(past.learned, { seen: ltr(happenedAt), known: ltr(recordedAt) }),
  );
  return html`<p class="note">${spaced([fill(past.known, { time: ltr(time) }), ...later])}</p>`;
}

/** Where and how to pay, while the payer is asked for money. */
function ask(payment: Payment, situation: Situation, language: Language): Html {
  if (!isReportable(payment) || !isAsking(situation)) return nothing;
  const { paymentUrl, payTo } = payment.invoice;
  const missing = situation === 'partial' ? missingOf(payment) : null;
  const box = payTo ? payBox(payTo, missing === null ? null : amountIn(missing, payment), language) : nothing;
  const link =
    paymentUrl === null
      ? nothing
      : html`<p>
          <a class="button main" href="${paymentUrl}" rel="noreferrer">${textsIn(language).pay.now}</a>
        </p>`;
  return html`${box}${link}`;
}

const notes = (list: Html[]): Html =>
  list.length === 0
    ? nothing
    : html`<ul class="notes">
        ${list.map((note) => html`<li>${note}</li>`)}
      </ul>`;

/** The payment's own rules for money that is short, over or late, as far as they can still matter. */
function policy(payment: Payment, situation: Situation, language: Language, now: Instant): Html {
  const late = (): Html[] => lateInWords(payment, language, now);
  const isOpen = isAsking(situation) || situation === 'opening';
  const list = isOpen
    ? [...lessInWords(payment, language), ...moreInWords(payment, language), ...late()]
    : situation === 'overdue'
      ? [...lessInWords(payment, language), ...late()]
      : situation === 'closed' && payment.status === 'expired'
        ? late()
        : [];
  if (list.length === 0) return nothing;
  return html`<details ${isOpen ? nothing : html`open`}>
    <summary>${textsIn(language).policy.title}</summary>
    <ul>
      ${list.map((sentence) => html`<li>${sentence}</li>`)}
    </ul>
  </details>`;
}

/** Only where the payment has ended: whoever goes back to the shop early finds an open one there. */
function back({ terms }: Payment, situation: Situation, language: Language): Html {
  const ended = isOver(situation) || situation === 'checking' || situation === 'refunding';
  return ended && terms.returnUrl !== null
    ? html`<p>
        <a class="button main" href="${terms.returnUrl}" rel="noreferrer">${textsIn(language).back}</a>
      </p>`
    : nothing;
}
