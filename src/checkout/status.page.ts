import type { Instant } from '../kernel/clock.js';
import { showAmount } from '../payments/payment-view.js';
import { isReportable, type Payment } from '../payments/payment.js';
import { progressOf, secondsLeft, type Progress } from '../payments/standing.js';
import { allocationOf } from '../payments/allocation.js';
import { Decimal } from '../payments/decimal.js';
import type { AsOf } from '../payments/time-travel.js';
import { verdictOf } from '../payments/verdict.js';

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escape = (text: string): string => text.replace(/[&<>"']/g, (char) => escapes[char] ?? '');

const headings: Readonly<Record<Progress, [string, string]>> = {
  opening: [
    'Preparing your payment',
    'The payment is being set up. This page updates by itself; you can pay in a moment.',
  ],
  awaiting_payment: [
    'Waiting for your payment',
    'No transaction was seen yet. It usually shows up here within a minute of being sent.',
  ],
  partially_paid: ['Part of the amount arrived', 'Please send the missing part to complete the payment.'],
  detected: [
    'We see your transaction',
    'It is on the network and waits for its first confirmation. There is nothing more for you to do.',
  ],
  confirming: [
    'Your transaction is confirming',
    'There is nothing more for you to do. You may close this page; the shop will be told.',
  ],
  settled: ['Paid', 'Your payment is complete. Thank you.'],
  in_review: [
    'A person is looking at your payment',
    'Your money was seen. The shop will decide what happens next; please do not pay again.',
  ],
  closed: [
    'This payment is closed',
    'Please do not pay any more for it. Ask the shop for a new payment if you still want to buy.',
  ],
};

/**
 * The payer's page for one payment: what was seen, what is missing, what to do. It tells nothing private. With `past` it
 * is the page as it was then: it leads nowhere, and says what had happened and was not known.
 */
export function statusPage(payment: Payment, now: Instant, past: AsOf | null = null): string {
  const progress = progressOf(payment);
  const [heading, advice] = headings[progress];
  const live = past === null && progress !== 'settled' && progress !== 'closed';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
${live ? '<meta http-equiv="refresh" content="5">' : ''}
<title>${heading}</title>
<link rel="stylesheet" href="/pay/status.css">
</head>
<body class="${progress}">
<main>
${past ? hindsight(past) : ''}
<h1>${heading}</h1>
<p class="amount">${escape(showAmount(payment.terms.amount, payment.terms.currency))} ${escape(payment.terms.currency)}</p>
${payment.terms.description ? `<p class="what">${escape(payment.terms.description)}</p>` : ''}
<p role="status">${isCollectedElsewhere(payment) ? elsewhere : advice}</p>
${details(payment, progress, now)}
${past ? '' : pay(payment, progress)}
${past ? '' : back(payment, progress)}
${payment.terms.sandbox ? '<p class="note">Sandbox: no real money moves.</p>' : ''}
</main>
</body>
</html>
`;
}

/** What was known then and what was true then are told apart: the one by our time, the other by the gateway's. */
const hindsight = ({ time, learnedLater }: AsOf): string =>
  `<p class="note">As it was known at ${escape(time)}.${learnedLater
    .map(
      ({ happenedAt, recordedAt }) =>
        ` A transaction had been seen by the network at ${escape(happenedAt)}; it became known here at ${escape(recordedAt)}.`,
    )
    .join('')}</p>`;

function details(payment: Payment, progress: Progress, now: Instant): string {
  if (!isReportable(payment)) return '';
  const { money, terms, invoice } = payment;
  const rows: [string, string][] = [];
  if (new Decimal(payment.credit).gt('0')) {
    rows.push(['Paid by your credit', `${showAmount(payment.credit, terms.currency)} ${terms.currency}`]);
    rows.push(['Left to pay', `${showAmount(payment.invoiced, terms.currency)} ${terms.currency}`]);
  }
  if (money.transfers.length > 0) {
    rows.push([
      'Received',
      money.received === null ? 'being counted' : `${showAmount(money.received, terms.currency)} ${terms.currency}`,
    ]);
  }
  const { missing } = verdictOf(payment);
  if (missing !== null && progress === 'partially_paid')
    rows.push(['Still missing', `${showAmount(missing, terms.currency)} ${terms.currency}`]);
  rows.push(...whereaboutsOf(payment, progress));
  for (const transfer of money.transfers) {
    const confirmations = transfer.confirmations === null ? '' : `, ${String(transfer.confirmations)} confirmations`;
    rows.push([`${transfer.sentAmount} ${transfer.currency}`, `${transfer.status}${confirmations}`]);
  }
  if ((progress === 'awaiting_payment' || progress === 'partially_paid') && !isCollectedElsewhere(payment)) {
    const minutes = Math.ceil(secondsLeft(invoice, now) / 60);
    rows.push(['Time left', minutes > 0 ? `${String(minutes)} min` : 'none; please do not pay any more']);
  }
  return rows.length === 0
    ? ''
    : `<dl>${rows.map(([term, text]) => `<dt>${escape(term)}</dt><dd>${escape(text)}</dd>`).join('')}</dl>`;
}

const isCollectedElsewhere = (payment: Payment): boolean =>
  payment.status === 'pending' && payment.money.remainders.some(({ outcome }) => outcome === 'open');

const elsewhere =
  'The missing part is collected by another payment of your order; please pay that one. This page updates by itself.';

/** What became of money that the price did not need, or that did not reach it. */
function whereaboutsOf(payment: Payment, progress: Progress): [string, string][] {
  const shares = allocationOf(payment);
  if (shares === null) return [];
  const { currency } = payment.terms;
  const told: [string, string, string][] = [
    ['Credited to you', shares.credited, 'the shop keeps it for your next purchase'],
    ['Sent back to you', shares.refunded, 'sent to the address that was given'],
    ['On its way back', shares.refunding, 'to the address that was given'],
    [
      'With the shop',
      progress === 'closed' ? shares.unallocated : '0',
      'it was seen; the shop will tell you what happens to it',
    ],
  ];
  return told
    .filter(([, amount]) => new Decimal(amount).gt('0'))
    .map(([term, amount, words]) => [term, `${showAmount(amount, currency)} ${currency}; ${words}`]);
}

function pay(payment: Payment, progress: Progress): string {
  if (!isReportable(payment) || payment.invoice.paymentUrl === null) return '';
  if (progress !== 'awaiting_payment' && progress !== 'partially_paid') return '';
  // Whoever paid both would pay too much.
  if (isCollectedElsewhere(payment)) return '';
  return `<p><a class="button" href="${escape(payment.invoice.paymentUrl)}" rel="noreferrer">Pay now</a></p>`;
}

function back(payment: Payment, progress: Progress): string {
  const ended = progress === 'settled' || progress === 'closed';
  return ended && payment.terms.returnUrl !== null
    ? `<p><a href="${escape(payment.terms.returnUrl)}" rel="noreferrer">Back to the shop</a></p>`
    : '';
}

export const statusStyle = `:root{color-scheme:light dark;--ink:#16202a;--soft:#5a6672;--ground:#f4f6f8;--card:#fff;--mark:#1f5fd0}
@media (prefers-color-scheme:dark){:root{--ink:#e8edf2;--soft:#a3afbb;--ground:#11161c;--card:#1a222b;--mark:#7fb0ff}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{max-width:30rem;margin:8vh auto 2rem;padding:2rem;background:var(--card);border-top:.3rem solid var(--mark);border-radius:.5rem}
.settled main{border-color:#1b8a4b}.in_review main{border-color:#c07a00}.closed main{border-color:var(--soft)}
h1{margin:0;font-size:1.4rem}.amount{margin:.5rem 0;font-size:2rem;font-weight:600;font-variant-numeric:tabular-nums}
.what,.note{color:var(--soft)}dl{display:grid;grid-template-columns:auto 1fr;gap:.25rem 1rem;margin:1rem 0}dt{color:var(--soft)}
dd{margin:0;text-align:right;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}a{color:var(--mark)}
.button{display:inline-block;padding:.7rem 1.6rem;border-radius:.4rem;background:var(--mark);color:var(--card);text-decoration:none;font-weight:600}
@media (max-width:34rem){main{margin:0;min-height:100vh;border-radius:0}}
`;
