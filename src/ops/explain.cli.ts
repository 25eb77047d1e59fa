import type { RecordedEvent } from '../kernel/event.js';
import { Refusal } from '../kernel/refusal.js';
import { explain } from '../payments/explanation.js';
import type { Report } from './command.cli.js';
import { asItWas, momentOf, type AsOf, type Moment } from '../payments/time-travel.js';
import type { Workspace } from './workspace.pg.js';

/** The versions of the events that prove it, with what each of them is. */
const evidenceInWords = (ids: readonly string[], events: readonly RecordedEvent[]): string =>
  events
    .filter(({ id }) => ids.includes(id))
    .map(({ version, type }) => `#${String(version)} ${type}`)
    .join(', ');

/** The same explanation as `GET /v1/payments/{id}/explanation`. */
export async function explainPayment(workspace: Workspace, id: string, when: string | undefined): Promise<Report> {
  const loaded = await workspace.payment(id);
  const past = when === undefined ? null : asItWas(loaded.events, momentIn(when));
  const { payment, events } = past ?? loaded;
  const explanation = { ...explain(payment, events), ...(past && { asOf: past.asOf }) };
  const { complete, blockedBy, waitingOn, missing, deadline, rule, sentence } = explanation;
  const rows: [string, string | null][] = [
    ['status', payment.status],
    ['complete', complete ? 'yes' : 'no'],
    ['blocked by', blockedBy],
    ['waiting on', waitingOn],
    ['missing', missing && `${missing.amount} ${missing.currency}`],
    ['deadline', deadline],
    ['rule', `${rule.policy} v${String(rule.version)}, ${rule.clause}`],
    ['review', explanation.review.join(', ') || null],
    ['evidence', evidenceInWords(explanation.evidence, events)],
  ];
  const facts = rows.filter(([, value]) => value !== null).map(([name, value]) => `  ${name.padEnd(12)}${value ?? ''}`);
  return {
    ok: true,
    json: explanation,
    text: [sentence, '', ...facts, ...(past ? inHindsight(past.asOf) : [])].join('\n'),
  };
}

/** What `--as-of` names. Throws `Refusal('malformed_request')` where it names nothing. */
export function momentIn(text: string): Moment {
  const moment = momentOf(text);
  if (moment) return moment;
  throw new Refusal(
    'malformed_request',
    '--as-of takes an event version or an RFC 3339 time, such as 3 or 2026-01-31T12:00:00Z.',
  );
}

/** What was true then, told apart from what was known. */
const inHindsight = ({ time, version, newestVersion, learnedLater }: AsOf): string[] => [
  '',
  `Known at ${time}: ${String(version)} of the ${String(newestVersion)} events known now.`,
  ...learnedLater.map(
    ({ type, happenedAt, recordedAt }) =>
      `  ${type} had happened at ${happenedAt}, and was recorded here at ${recordedAt}`,
  ),
];
