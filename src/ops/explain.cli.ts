import type { RecordedEvent } from '../kernel/event.js';
import { explain } from '../payments/explanation.js';
import type { Report } from './cli.module.js';
import type { Workspace } from './workspace.pg.js';

/** The versions of the events that prove it, with what each of them is. */
const evidenceInWords = (ids: readonly string[], events: readonly RecordedEvent[]): string =>
  events
    .filter(({ id }) => ids.includes(id))
    .map(({ version, type }) => `#${String(version)} ${type}`)
    .join(', ');

/** The same explanation as `GET /v1/payments/{id}/explanation`. */
export async function explainPayment(workspace: Workspace, id: string): Promise<Report> {
  const { payment, events } = await workspace.payment(id);
  const explanation = explain(payment, events);
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
  return { ok: true, json: explanation, text: [sentence, '', ...facts].join('\n') };
}
