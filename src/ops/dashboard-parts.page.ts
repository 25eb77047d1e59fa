import { html, type Html } from '../platform/http/html.js';
import { durationOf } from './dashboard-bins.js';
import { keyFigures, plot, sharesTable } from './dashboard-figures.page.js';
import type { Numbers } from './dashboard-questions.pg.js';
import { ranges } from './dashboard-window.js';
import {
  compared,
  countFigure,
  lagOverTime,
  overTime,
  shareFigure,
  sharesOf,
  stepsOf,
  timeFigure,
  wordsOf,
  type KeyFigure,
} from './dashboard.js';
import type { Dashboard } from './dashboards.pg.js';

const outcomes = {
  paid: 'Paid',
  open: 'Open',
  expired: 'Expired, no money',
  short: 'Expired, short',
  failed: 'Failed',
} as const;

const noPayments = 'No payments in this range.';

const part = (id: string, title: string, figures: readonly KeyFigure[], content: Html): Html =>
  html`<section aria-labelledby="${id}">
    <h2 id="${id}">${title}</h2>
    ${keyFigures(figures)}
    <div class="plots">${content}</div>
  </section>`;

/** How payments that were created in the range stand now. */
export function paymentPart({ window, numbers: { payments, labels } }: Dashboard): Html {
  const of = (outcome: keyof typeof outcomes) => compared(payments, (row) => row.outcome === outcome);
  const ended = compared(payments, (row) => row.outcome !== 'open');
  const each = ranges[window.range].each;
  return part(
    'completion',
    'Payment completion',
    [
      countFigure('Created', compared(payments)),
      shareFigure('Paid, of those that ended', of('paid'), ended),
      countFigure('Open', of('open')),
      countFigure('Expired short of money', of('short')),
    ],
    html`${plot({
      ...{ id: 'outcomes', wide: true, kind: 'stack', unit: 'payments', rowsAre: 'Created (UTC)', empty: noPayments },
      title: 'Payments by outcome',
      about: `By when they were created, ${each} a bar, and how they stand now.`,
      data: overTime(window, payments, ({ outcome }) => outcome, outcomes),
    })}
    ${sharesTable({
      ...{ title: 'By label', about: 'A payment can have several.', nameIs: 'Label', countIs: 'Payments' },
      shares: sharesOf(labels, ({ label }) => wordsOf(label)),
      empty: 'No payment in this range has a label.',
    })}
    ${sharesTable({
      ...{ title: 'By currency', about: 'Of the price.', nameIs: 'Currency', countIs: 'Payments', empty: noPayments },
      shares: sharesOf(payments, ({ currency }) => currency),
    })}`,
  );
}

/** How long those took that are paid. */
export function timePart({ numbers: { paid } }: Dashboard): Html {
  const from = (measure: Numbers['paid'][number]['measure']) => paid.filter((each) => each.measure === measure);
  const [created, detected] = [from('created'), from('detected')];
  const steps = {
    kind: 'bars',
    unit: 'payments',
    rowsAre: 'Within',
    empty: 'No payment of this range is paid.',
  } as const;
  const detail = (name: string, timings: typeof paid): KeyFigure[] =>
    [['p50', 0.5] as const, ['p90', 0.9] as const, ['p99', 0.99] as const].map(([word, share]) =>
      timeFigure(`${word} from ${name}`, timings, share),
    );
  return part(
    'time',
    'Time to paid',
    [...detail('created', created), ...detail('detected', detected)],
    html`${plot({
      ...{ id: 'from-created', ...steps, title: 'From created to paid' },
      about: 'Payments created in the range, by how long it took until they were paid.',
      data: stepsOf(created, 'Payments'),
    })}
    ${plot({
      ...{ id: 'from-detected', ...steps, title: 'From detected to paid' },
      about: 'From the first sight of money, as the gateway dates it.',
      data: stepsOf(detected, 'Payments'),
    })}`,
  );
}

const results = {
  applied: 'Applied',
  matched: 'Matched later',
  unmatched: 'Unmatched',
  quarantined: 'Quarantined',
  rejected: 'Rejected',
} as const;

const attemptKinds = {
  success: 'Delivered',
  refused: 'Refused (3xx, 4xx)',
  error: 'Failed (5xx)',
  silent: 'No answer',
};

const attemptKind = (outcome: string): keyof typeof attemptKinds => {
  if (outcome === 'success') return 'success';
  if (outcome === 'http_3xx' || outcome === 'http_4xx') return 'refused';
  return outcome === 'http_5xx' ? 'error' : 'silent';
};

/** Callbacks in, webhooks out. */
export function deliveryPart({ window, numbers }: Dashboard, application: string | null): Html {
  const { callbacks, callbackLag, attempts, delivered, dead } = numbers;
  const { each } = ranges[window.range];
  const isAside = ({ result }: (typeof callbacks)[number]): boolean => result !== 'applied' && result !== 'matched';
  const isGood = ({ outcome }: (typeof attempts)[number]): boolean => outcome === 'success';
  const { p50, p99, sampled } = callbackLag;
  const lag =
    p50 === null || p99 === null
      ? ''
      : ` From receipt to commit: half within ${durationOf(p50)}, 99 % within ${durationOf(p99)} (the newest ${String(sampled)}).`;
  const alone =
    application === null ? '' : ' Those that fit no payment belong to no application, and are not among them.';
  return part(
    'delivery',
    'Callback and webhook delivery',
    [
      countFigure('Callbacks', compared(callbacks)),
      countFigure('Callbacks not applied', compared(callbacks, isAside)),
      shareFigure('Webhook attempts that got through', compared(attempts, isGood), compared(attempts)),
      timeFigure('Webhook lag, p90', delivered, 0.9),
      countFigure('Dead letters', compared(dead)),
    ],
    html`${plot({
      ...{ id: 'callbacks', kind: 'stack', unit: 'callbacks', rowsAre: 'Received (UTC)' },
      title: 'Callbacks by what became of them',
      about: `${capital(each)} a bar; repeats count once.${lag}${alone}`,
      data: overTime(window, callbacks, ({ result }) => result, results),
      empty: 'No callbacks in this range.',
    })}
    ${plot({
      ...{ id: 'attempts', kind: 'stack', unit: 'attempts', rowsAre: 'Attempted (UTC)' },
      title: 'Webhook attempts by outcome',
      about: `${capital(each)} a bar; ${String(compared(attempts, ({ again }) => again).now)} of them are repeats.`,
      data: overTime(window, attempts, ({ outcome }) => attemptKind(outcome), attemptKinds),
      empty: 'No webhooks were attempted in this range.',
    })}
    ${plot({
      ...{ id: 'lag', kind: 'lines', unit: 'seconds', rowsAre: 'Delivered (UTC)' },
      title: 'Webhook lag',
      about: 'From the event that a webhook tells of to the first 2xx of its receiver.',
      data: lagOverTime(window, delivered),
      empty: 'No webhooks were delivered in this range.',
    })}
    ${sharesTable({
      ...{ title: 'Dead letters', about: 'By how the last attempt ended.', nameIs: 'Reason', countIs: 'Webhooks' },
      shares: sharesOf(dead, ({ reason }) => wordsOf(reason)),
      empty: 'No webhook was given up in this range.',
    })}`,
  );
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1);

const stages = {
  create: 'Opening',
  intake: 'Callbacks',
  decide: 'Decisions',
  confirm: 'Confirmation',
  deliver: 'Webhooks',
  fulfill: 'Goods',
  refund: 'Refunds',
} as const;

/** What went wrong, by where and how: the causes of `finality_failures_total`, from the tables. */
export function failurePart({ window, numbers }: Dashboard): Html {
  const failures = failuresIn(numbers);
  const of = (...names: (keyof typeof stages)[]) =>
    compared(failures, ({ stage }) => names.some((name) => name === stage));
  return part(
    'failures',
    'Failure patterns',
    [
      countFigure('Failures', compared(failures)),
      countFigure('Opening and confirmation', of('create', 'confirm')),
      countFigure('Reviews and contradictions', of('decide')),
      countFigure('Webhooks', of('deliver')),
    ],
    html`${plot({
      ...{ id: 'failures-over-time', kind: 'stack', unit: 'failures', rowsAre: 'Time (UTC)' },
      title: 'Failures by where',
      about: `${capital(ranges[window.range].each)} a bar.`,
      data: overTime(window, failures, ({ stage }) => stage, stages),
      empty: 'Nothing failed in this range.',
    })}
    ${sharesTable({
      ...{ title: 'By cause', about: 'The most frequent first.', nameIs: 'Cause', countIs: 'Failures' },
      shares: sharesOf(failures, ({ stage, cause }) => `${wordsOf(stageOf(stage))}: ${wordsOf(cause)}`),
      empty: 'Nothing failed in this range.',
    })} `,
  );
}

const stageOf = (stage: string): string => Object.entries(stages).find(([name]) => name === stage)?.[1] ?? stage;

/** Callbacks that were not applied and webhooks that did not get through are failures like those that events tell of. */
function failuresIn({ troubles, callbacks, attempts, dead }: Numbers): Numbers['troubles'] {
  return [
    ...troubles,
    ...callbacks
      .filter(({ result }) => result !== 'applied' && result !== 'matched')
      .map(({ bucket, count, result, reason }) => {
        return { bucket, count, stage: 'intake', cause: reason === 'none' ? result : `${result}, ${reason}` };
      }),
    ...attempts
      .filter(({ outcome }) => outcome !== 'success')
      .map(({ bucket, count, outcome }) => ({ bucket, count, stage: 'deliver', cause: outcome })),
    ...dead.map(({ bucket, count }) => ({ bucket, count, stage: 'deliver', cause: 'given up' })),
  ];
}
