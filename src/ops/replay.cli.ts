import { Refusal } from '../kernel/refusal.js';
import { evolve, type Payment } from '../payments/payment.js';
import { readPaymentEvent } from '../payments/payment-stream.js';
import { isFulfillable, labelsOf, progressOf } from '../payments/standing.js';
import { rebuild, type RebuildProgress, type RebuildResult } from '../platform/subscriptions/rebuild.pg.js';
import type { Projection } from '../platform/subscriptions/projection.js';
import { OrderProjection } from '../read-models/order-projection.pg.js';
import type { Report } from './cli.module.js';
import type { Workspace } from './workspace.pg.js';

/** Every read model that can be rebuilt. A reactor (fulfilment, webhooks) is no projection and cannot be listed here. */
const projections: readonly Projection[] = [new OrderProjection()];

/** Rebuilds read models beside the live ones and swaps them. */
export async function replayProjections(workspace: Workspace, name: string, dryRun: boolean): Promise<Report> {
  const chosen = projections.filter((projection) => name === 'all' || projection.name === name);
  if (chosen.length === 0) {
    throw new Refusal(
      'not_found',
      `There is no projection "${name.slice(0, 64)}"; there are: ${projections.map((each) => each.name).join(', ')}, all.`,
    );
  }
  const results: (RebuildResult & { projection: string })[] = [];
  for (const projection of chosen) {
    const result = await rebuild(workspace.databaseUrl, projection, {
      dryRun,
      onProgress: showProgress(projection.name),
    });
    results.push({ projection: projection.name, ...result });
  }
  const ok = results.every((result) => result.tables.every((table) => table.same));
  return { ok, json: results, text: results.map((result) => describe(result, dryRun)).join('\n') };
}

function describe(
  { projection, events, position, tables }: RebuildResult & { projection: string },
  dryRun: boolean,
): string {
  const head = `${projection}: ${String(events)} events up to position ${String(position)} ${dryRun ? 'compared' : 'replayed and swapped in'}`;
  const lines = tables.map((table) =>
    table.same
      ? `  ${table.table}: same, ${String(table.live.rows)} rows`
      : `  ${table.table}: DIFFERS, ${String(table.live.rows)} rows live, ${String(table.rebuilt.rows)} rebuilt`,
  );
  return [head, ...lines].join('\n');
}

/** Progress goes to standard error, at most twice a second, so that standard output stays the result. */
function showProgress(name: string): (progress: RebuildProgress) => void {
  let shown = performance.now();
  return ({ position, total, perSecond }) => {
    if (performance.now() - shown < 500) return;
    shown = performance.now();
    const left = perSecond > 0 ? Math.ceil((total - position) / perSecond) : 0;
    process.stderr.write(
      `${name}: ${String(position)} of ${String(total)}, ${String(Math.round(perSecond))} events/s, ${String(left)} s left\n`,
    );
  };
}

interface Step {
  version: number;
  at: string;
  event: string;
  status: string | null;
  progress: string | null;
  labels: string[];
  fulfillable: boolean;
}

/** Folds one stream and prints each step. */
export async function replayPayment(workspace: Workspace, id: string, asOf: string | undefined): Promise<Report> {
  const { events } = await workspace.payment(id);
  const wanted = events.filter((event) => isWithin(event, asOf));
  let payment: Payment | null = null;
  const steps: Step[] = [];
  for (const event of wanted) {
    payment = evolve(payment, readPaymentEvent(event));
    steps.push({
      version: event.version,
      at: event.recordedAt,
      event: event.type,
      status: payment?.status ?? null,
      progress: payment && progressOf(payment),
      labels: payment ? labelsOf(payment) : [],
      fulfillable: payment !== null && isFulfillable(payment),
    });
  }
  const text = steps
    .map(
      (step) =>
        `${String(step.version).padStart(3)}  ${step.at}  ${step.event.padEnd(20)} → ${step.status ?? '-'} / ${step.progress ?? '-'} [${step.labels.join(', ')}]${step.fulfillable ? ' fulfillable' : ''}`,
    )
    .join('\n');
  return { ok: true, json: { steps, payment }, text: text === '' ? 'The payment did not exist yet then.' : text };
}

function isWithin(event: { version: number; recordedAt: string }, asOf: string | undefined): boolean {
  if (asOf === undefined) return true;
  if (/^\d{1,9}$/.test(asOf)) return event.version <= parseInt(asOf, 10);
  const time = new Date(asOf);
  if (Number.isNaN(time.getTime()))
    throw new Refusal('malformed_request', '--as-of takes an event version or an RFC 3339 time.');
  return event.recordedAt <= time.toISOString();
}
