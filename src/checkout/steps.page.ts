import { isPaidByCredit, type Payment } from '../payments/payment.js';
import type { Transfer } from '../payments/worth.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import type { Language } from './language.js';
import { textsIn } from './languages/texts-in.js';
import type { Situation } from './situation.js';
import { counted } from './wording.js';

interface Step {
  name: string;
  /** `stopped`: it will not come to that any more, or was undone. */
  state: 'done' | 'now' | 'later' | 'stopped';
  detail: string | Html;
}

/** Was it seen, is it confirming, is it complete: each step says in words where it stands. */
export function steps(payment: Payment, situation: Situation, language: Language): Html {
  const { steps: texts } = textsIn(language);
  const transfers = 'money' in payment ? payment.money.transfers.filter(({ status }) => status !== 'failed') : [];
  const list = [
    seenStep(payment, transfers, situation, language),
    confirmingStep(payment, transfers, situation, language),
    completeStep(situation, language),
  ];
  return html`<ol class="steps" aria-label="${texts.label}">
    ${list.map(
      ({ name, state, detail }) =>
        html`<li class="${state}" ${state === 'now' ? html`aria-current="step"` : nothing}>
          <span class="mark" aria-hidden="true"></span><strong>${name}</strong> <span class="detail">${detail}</span>
        </li>`,
    )}
  </ol>`;
}

const isOver = (situation: Situation): boolean =>
  situation === 'closed' || situation === 'rejected' || situation === 'refunded' || situation === 'refunding';

function seenStep(payment: Payment, transfers: Transfer[], situation: Situation, language: Language): Step {
  const { steps: texts, facts } = textsIn(language);
  const name = texts.seen;
  if (transfers.length > 0)
    return { name, state: 'done', detail: counted(texts.seenCount, language, transfers.length) };
  if (isPaidByCredit(payment)) return { name, state: 'done', detail: facts.byCredit };
  if (situation === 'settled' || situation === 'checking') return { name, state: 'done', detail: texts.done };
  const state = isOver(situation) || situation === 'overdue' ? 'stopped' : situation === 'opening' ? 'later' : 'now';
  return { name, state, detail: texts.notSeen };
}

function confirmingStep(payment: Payment, transfers: Transfer[], situation: Situation, language: Language): Step {
  const { steps: texts } = textsIn(language);
  const name = texts.confirming;
  const isPaid = situation === 'settled' || situation === 'checking';
  if (transfers.length === 0)
    return isPaid
      ? { name, state: 'done', detail: texts.notNeeded }
      : { name, state: isOver(situation) ? 'stopped' : 'later', detail: texts.notYet };
  const open = transfers.filter((transfer) => !isDeep(transfer, neededBy(payment)));
  const weakest = open.toSorted((a, b) => (a.confirmations ?? 0) - (b.confirmations ?? 0))[0];
  if (!weakest) return { name, state: 'done', detail: texts.confirmed };
  return { name, state: isPaid ? 'done' : 'now', detail: confirmationsOf(weakest, neededBy(payment), language) };
}

function completeStep(situation: Situation, language: Language): Step {
  const { steps: texts, facts } = textsIn(language);
  const name = texts.complete;
  switch (situation) {
    case 'settled':
      return { name, state: 'done', detail: texts.done };
    case 'checking':
      return { name, state: 'now', detail: texts.checking };
    case 'in_review':
      return { name, state: 'now', detail: texts.waitsForShop };
    case 'refunding':
      return { name, state: 'stopped', detail: facts.refunding };
    case 'refunded':
      return { name, state: 'stopped', detail: texts.givenBack };
    case 'closed':
    case 'rejected':
      return { name, state: 'stopped', detail: texts.closed };
    default:
      return { name, state: 'later', detail: texts.notYet };
  }
}

/** How many confirmations the payment's policy wants; null where it leaves that to the gateway, which does not tell. */
export function neededBy({ terms }: Payment): number | null {
  const { paidWhen } = terms.policy.rules;
  return paidWhen.rule === 'confirmations' ? paidWhen.count : null;
}

const isDeep = ({ status, confirmations }: Transfer, needed: number | null): boolean =>
  needed === null ? status === 'confirmed' : (confirmations ?? 0) >= needed;

/** "3 of 19 confirmations" where the number that is needed is known, else how many there are so far. */
export function confirmationsOf(transfer: Transfer, needed: number | null, language: Language): Html {
  const { steps: texts } = textsIn(language);
  const { confirmations } = transfer;
  if (isDeep(transfer, needed)) return html`${texts.confirmed}`;
  if (needed !== null) {
    const count = confirmations ?? 0;
    return counted(texts.confirmationsOf, language, count, { needed: String(needed) }, needed);
  }
  return confirmations === null
    ? html`${texts.unconfirmed}`
    : counted(texts.confirmationsSoFar, language, confirmations);
}
