import { readFile, writeFile } from 'node:fs/promises';
import { expect, it } from '@jest/globals';
import type { RecordedEvent } from '../../src/kernel/event.js';
import { allocationOf } from '../../src/payments/allocation.js';
import { applyReport } from '../../src/payments/decisions.js';
import { explain } from '../../src/payments/explanation.js';
import { openReviewOf } from '../../src/payments/money.js';
import type { Payment, PaymentEvent, Reportable, ReviewDecision, Terms } from '../../src/payments/payment.js';
import type { PolicyRules } from '../../src/payments/policy.js';
import { holdsFulfillment, reviewReasons } from '../../src/payments/review-reasons.js';
import { resolveReview } from '../../src/payments/review.js';
import { reviewWords } from '../../src/payments/sentences.js';
import { isFulfillable, labelsOf, progressOf } from '../../src/payments/standing.js';
import { foldAll, muchTooLate, open } from '../payments/given.js';
import { histories, historyNamed, lastAnswer, type Heard, type History } from './histories.js';

const clauses = ['underpayment', 'overpayment', 'latePayment'] as const;
type Clause = (typeof clauses)[number];
/** What each of the three clauses says. */
type Choice = Record<Clause, string>;

const options: Record<Clause, readonly string[]> = {
  underpayment: ['reject', 'partial_credit', 'review'],
  overpayment: ['credit', 'refund', 'review', 'keep'],
  latePayment: ['accept', 'credit', 'refund', 'review'],
};

const choices: readonly Choice[] = options.underpayment.flatMap((underpayment) =>
  options.overpayment.flatMap((overpayment) =>
    options.latePayment.map((latePayment) => ({ underpayment, overpayment, latePayment })),
  ),
);

const refundTo = { address: 'TPayerAddress', network: 'Tron Network', currency: null, memo: null };
const withBoth: Partial<Terms> = { customerId: 'customer-1', refundTo };
const withNeither: Partial<Terms> = { customerId: null, refundTo: null };

const rulesOf = (choice: Choice, tolerancePercent = '0'): Partial<PolicyRules> =>
  ({
    underpayment: { tolerancePercent, then: choice.underpayment },
    overpayment: { tolerancePercent, then: choice.overpayment },
    latePayment: { window: 'PT72H', then: choice.latePayment },
  }) as Partial<PolicyRules>;

const hear = (payment: Reportable, { said, witness, at, prices }: Heard): PaymentEvent[] =>
  applyReport(payment, said, { witness, now: at, ...(prices ? { prices } : {}) });

/** Every event of a payment that lives through a history under a policy, until the gateway has nothing new to say. */
function live(history: History, choice: Choice, terms: Partial<Terms>): PaymentEvent[] {
  const events = open(rulesOf(choice, history.tolerancePercent), terms);
  for (const step of history.steps) {
    const payment = foldAll(events) as Reportable;
    events.push(...('does' in step ? step.does(payment) : hear(payment, step)));
  }
  const last = lastAnswer(history);
  for (let quiet = 0, asked = 0; quiet < 2 && asked < 10; asked++) {
    const more = applyReport(foldAll(events) as Reportable, last, { witness: 'poll', now: muchTooLate });
    events.push(...more);
    quiet = more.length === 0 ? quiet + 1 : 0;
  }
  return events;
}

const recorded = (events: readonly PaymentEvent[]): RecordedEvent[] =>
  events.map((event, index) => ({
    id: `event-${String(index + 1)}`,
    type: event.type,
    schemaVersion: 1,
    data: JSON.parse(JSON.stringify(event.data)),
    tenant: 'application',
    actor: 'gateway',
    correlationId: 'outcome',
    causationId: 'outcome',
    recordedAt: muchTooLate,
    streamId: 'payment',
    version: index + 1,
    position: index + 1,
  }));

const orNone = (words: readonly string[]): string => (words.length > 0 ? words.join(', ') : '–');

function moneyOf(payment: Payment): string {
  const shares = allocationOf(payment);
  if (shares === null) return 'worth unknown';
  return orNone(
    Object.entries(shares)
      .filter(([, amount]) => amount !== '0')
      .map(([share, amount]) => `${share} ${amount}`),
  );
}

/** The cells of a row behind the policy. */
function outcomeOf(events: readonly PaymentEvent[]): string[] {
  const payment = foldAll(events);
  const reasons = 'money' in payment ? (openReviewOf(payment.money)?.reasons ?? []) : [];
  return [
    `${payment.status}${isFulfillable(payment) ? ', deliver' : ''}`,
    progressOf(payment),
    orNone(labelsOf(payment)),
    orNone(reasons),
    moneyOf(payment),
    explain(payment, recorded(events)).sentence,
  ];
}

interface Row {
  policy: Record<Clause, string[]>;
  outcome: string[];
}

const sameOutcome = (a: Row, b: Row): boolean => a.outcome.join('|') === b.outcome.join('|');
const sameChoice = (a: Row, b: Row, but: Clause): boolean =>
  clauses.every((clause) => clause === but || a.policy[clause].join() === b.policy[clause].join());

/** Puts rows together that differ in one clause alone and end alike. */
function joined(rows: readonly Row[], clause: Clause): Row[] {
  const out: Row[] = [];
  for (const row of rows) {
    const like = out.find((other) => sameOutcome(other, row) && sameChoice(other, row, clause));
    if (like) like.policy[clause].push(...row.policy[clause]);
    else out.push({ ...row, policy: { ...row.policy, [clause]: [...row.policy[clause]] } });
  }
  return out;
}

/** By the values of the clauses, in the order of `options`. */
const inOrder = (rows: readonly Row[]): Row[] => {
  const rank = ({ policy }: Row): string =>
    clauses.map((clause) => String(options[clause].indexOf(policy[clause][0] ?? ''))).join('');
  return [...rows].sort((a, b) => rank(a).localeCompare(rank(b)));
};

const compressed = (ends: readonly { choice: Choice; outcome: string[] }[]): Row[] =>
  inOrder(
    clauses.reduce<Row[]>(
      joined,
      ends.map(({ choice, outcome }) => ({
        policy: {
          underpayment: [choice.underpayment],
          overpayment: [choice.overpayment],
          latePayment: [choice.latePayment],
        },
        outcome,
      })),
    ),
  );

const endsOf = (history: History, terms: Partial<Terms>): { choice: Choice; outcome: string[] }[] =>
  choices.map((choice) => ({ choice, outcome: outcomeOf(live(history, choice, terms)) }));

const policyCells = ({ policy }: Row): string[] =>
  clauses.map((clause) => (policy[clause].length === options[clause].length ? 'any' : policy[clause].join(', ')));

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const table = (heads: readonly string[], rows: readonly (readonly string[])[]): string =>
  [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n');

const heads = ['too little', 'too much', 'late', 'status', 'progress', 'labels', 'review', 'money', 'explanation'];

const sectionOf = (history: History): string =>
  `### ${history.name}\n\n${history.what}\n\n${table(
    heads,
    compressed(endsOf(history, withBoth)).map((row) => [...policyCells(row), ...row.outcome]),
  )}`;

/** The same history with neither a customer nor an address: the rows that end differently. */
function lackingRows(name: string): string[][] {
  const history = historyNamed(name);
  const full = new Map(endsOf(history, withBoth).map(({ choice, outcome }) => [choice, outcome.join('|')]));
  const differing = endsOf(history, withNeither).filter(
    ({ choice, outcome }) => outcome.join('|') !== full.get(choice),
  );
  return compressed(differing).map((row) => [name, ...policyCells(row), ...row.outcome]);
}

const reviewed: readonly { about: string; history: string; choice: Partial<Choice> }[] = [
  { about: 'an open payment that is short (`underpaid`)', history: 'Short', choice: { underpayment: 'review' } },
  {
    about: 'an expired payment whose money came late (`late_payment`)',
    history: 'Late, the whole amount',
    choice: { latePayment: 'review' },
  },
  { about: 'money beyond the price of a paid one (`overpaid`)', history: 'Over', choice: { overpayment: 'review' } },
  {
    about: 'a paid one that the gateway contradicts (`gateway_conflict`)',
    history: 'A callback says paid, the answer says 40 %',
    choice: {},
  },
];

const standard: Choice = { underpayment: 'reject', overpayment: 'credit', latePayment: 'review' };

function decided(events: readonly PaymentEvent[], decision: ReviewDecision): string[] {
  const resolution = { decision, actor: 'support@shop.example', note: 'seen', refundTo };
  const more = resolveReview(foldAll(events), resolution, false, muchTooLate);
  return [more.map(({ type }) => type).join(', '), ...outcomeOf([...events, ...more])];
}

const decisionRows = (): string[][] =>
  reviewed.flatMap(({ about, history, choice }) => {
    const events = live(historyNamed(history), { ...standard, ...choice }, withBoth);
    return (['accept', 'reject', 'credit', 'refund'] as const).map((decision) => [
      about,
      decision,
      ...decided(events, decision),
    ]);
  });

const document = (): string => `# Outcomes

What becomes of a payment and its money, for each combination of policy and history. Generated from the code by
\`npm run docs\`; a test fails where the two differ. The rules behind it are in [payments.md](payments.md).

Every history is that of a payment of 50 USD under \`paidWhen: settled\`, with a \`customerId\` and an address for refunds
(\`refundTo\`), tolerances of 0 unless it says otherwise, and a late window of three days. Amounts are in USD. Each was
lived through under all ${String(choices.length)} combinations of the three clauses, and until the gateway, asked again long after every
window, had nothing new to say. Combinations that end alike share a row; \`any\` is every value of a clause.

| column | what it says |
| --- | --- |
| too little | \`underpayment.then\` |
| too much | \`overpayment.then\` |
| late | \`latePayment.then\` |
| status | the payment's status; \`deliver\` where it is \`fulfillable\` |
| progress | what the payer sees |
| labels | the facts beside the status |
| review | what a person is asked to decide; – where nobody is |
| money | the shares of what was received that are not 0; – where nothing was received |
| explanation | the sentence of \`GET /v1/payments/{id}/explanation\` |

A refund stays \`refunding\` here: no payout is sent in these histories. \`unallocated\` money is with the merchant's gateway
account, and nobody has decided about it.

## Histories

${histories.map(sectionOf).join('\n\n')}

## Without a customer and without an address

The same without \`customerId\` and without \`refundTo\`. Only what ends differently is listed: money that was to be credited
or sent back stays where it is, and a person is asked, with the reason why the policy could not be carried out.

${table(
  ['history', ...heads],
  [
    'Short',
    'Over',
    'Late, the whole amount',
    'Short and late, and still short',
    'Paid, then more that is late',
  ].flatMap(lackingRows),
)}

## What a person decides

\`POST /v1/payments/{id}/review\`, each decision upon the same review. \`events\` is what the decision adds to the stream, in
order.

${table(['review of', 'decision', 'events', ...heads.slice(3)], decisionRows())}

## Reasons for a review

| reason | holds the goods | why a person is asked |
| --- | --- | --- |
${reviewReasons
  .map((reason) => `| \`${reason}\` | ${holdsFulfillment(reason) ? 'yes' : 'no'} | ${reviewWords[reason]} |`)
  .join('\n')}
`;

it('docs/outcomes.md lists what the code makes of every combination of policy and history', async () => {
  const text = document();
  if (process.env['UPDATE_DOCS'] === '1') await writeFile('docs/outcomes.md', text);
  expect(await readFile('docs/outcomes.md', 'utf8')).toBe(text);
});
