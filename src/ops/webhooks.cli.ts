import { Option, type Command } from 'commander';
import {
  deliveryStatuses,
  WebhookDeliveries,
  type Delivery,
  type DeliveryFilter,
  type RedeliveryPlan,
} from '../fulfillment/webhook-deliveries.pg.js';
import { webhookTypes } from '../fulfillment/webhook-types.js';
import type { Report, Run } from './command.cli.js';
import { idIn, instantIn, limitIn } from './arguments.cli.js';
import type { Workspace } from './workspace.pg.js';

interface FilterOptions {
  payment?: string;
  endpoint?: string;
  type?: string;
  status?: string;
  from?: string;
  to?: string;
  json?: boolean;
}

/** Adds `webhooks list` and `webhooks redeliver`, over the deliveries of all applications. */
export function webhooksCommand(cli: Command, run: Run): void {
  const webhooks = cli.command('webhooks').description('deliveries of webhooks, of all applications');
  const withFilter = (command: Command): Command =>
    command
      .option('--payment <id>', 'of this payment')
      .option('--endpoint <id>', 'to this endpoint')
      .addOption(new Option('--type <type>', 'of this type').choices(webhookTypes))
      .addOption(new Option('--status <status>', 'that stand so').choices(deliveryStatuses))
      .option('--from <time>', 'created at this RFC 3339 time or later')
      .option('--to <time>', 'created before this RFC 3339 time')
      .option('--json', 'one JSON value');
  withFilter(webhooks.command('list').description('deliveries and their last attempts, newest first'))
    .option('--limit <n>', '1 to 1000', '50')
    .addHelpText(
      'after',
      '\nExamples:\n  finality webhooks list --status dead\n  finality webhooks list --payment 0198… --json',
    )
    .action((options: FilterOptions & { limit: string }) => run(options, (workspace) => list(workspace, options)));
  withFilter(webhooks.command('redeliver').description('sends webhooks again, under the same ids; the service does it'))
    .option('--delivery <id...>', 'these deliveries; no filter goes with it')
    .option('--yes', 'do it; without this the command says what it would send, and exits with 1')
    .addHelpText(
      'after',
      '\nExamples:\n  finality webhooks redeliver --delivery 0198…\n  finality webhooks redeliver --status dead --from 2026-01-31T00:00:00Z --yes',
    )
    .action(async (options: FilterOptions & { delivery?: string[]; yes?: boolean }, command: Command) => {
      const { delivery, yes = false } = options;
      const filtered = [options.payment, options.endpoint, options.type, options.status, options.from, options.to];
      if ((delivery === undefined) === filtered.every((value) => value === undefined))
        command.error('error: give either --delivery or at least one filter');
      await run(options, (workspace) =>
        redeliver(workspace, delivery ? { ids: delivery.map(idIn) } : filterOf(options), yes),
      );
    });
}

async function list(workspace: Workspace, options: FilterOptions & { limit: string }): Promise<Report> {
  const limit = limitIn(options.limit);
  const found = await deliveriesOf(workspace).list(null, filterOf(options), { before: null, limit });
  const shown = found.slice(0, limit);
  const more = found.length > limit ? ['There are more: narrow it down, or raise --limit.'] : [];
  const lines = shown.length === 0 ? ['No delivery fits.'] : shown.map(lineOf);
  return { ok: true, json: shown, text: [...lines, ...more].join('\n') };
}

/** One line. What the endpoint answered is for `--json`, where it cannot speak to the terminal. */
function lineOf({ id, createdAt, status, type, sequence, paymentId, attemptCount, attempts, dueAt }: Delivery): string {
  const last = attempts.at(-1);
  const tries = attemptCount === 1 ? '1 attempt' : `${String(attemptCount)} attempts`;
  const came = last ? `${last.outcome}${last.status === null ? '' : ` (${String(last.status)})`}` : 'not tried yet';
  const next = dueAt === null ? '' : `, due ${dueAt}`;
  return `${createdAt}  ${id}  ${status.padEnd(9)}  ${type.padEnd(23)}  ${paymentId} #${String(sequence)}  ${tries}: ${came}${next}`;
}

async function redeliver(workspace: Workspace, filter: DeliveryFilter, yes: boolean): Promise<Report> {
  const deliveries = deliveriesOf(workspace);
  if (!yes) {
    const plan = await deliveries.plan(null, filter);
    return { ok: false, json: { ...plan, sent: false }, text: describe(plan) };
  }
  const { matched, queued } = await deliveries.redeliver(null, filter);
  const text = `${counted(matched)} matched, ${String(queued)} queued: the running service sends them.`;
  return { ok: true, json: { matched, queued, sent: true }, text };
}

function describe({ matched, queued, endpoints }: RedeliveryPlan): string {
  const lines = endpoints.map(({ endpointId, url, ...counts }) =>
    url === null
      ? `  none of ${String(counts.matched)} to ${endpointId}, which is gone or disabled`
      : `  ${String(counts.queued)} of ${String(counts.matched)} to ${endpointId}, ${printable(url)}`,
  );
  return [
    `${counted(matched)} matched, ${String(queued)} would be sent again:`,
    ...lines.slice(0, 20),
    ...(lines.length > 20 ? [`  and ${String(lines.length - 20)} more endpoints`] : []),
    'Nothing was changed. Add --yes to send them.',
  ].join('\n');
}

const counted = (n: number): string => (n === 1 ? '1 delivery' : `${String(n)} deliveries`);

/** Nothing that a terminal would obey. */
const printable = (text: string): string => text.replace(/[^\u0020-\u007e]/g, '?');

const deliveriesOf = ({ pool, clock }: Workspace): WebhookDeliveries => new WebhookDeliveries(pool, clock);

function filterOf({ payment, endpoint, type, status, from, to }: FilterOptions): DeliveryFilter {
  return {
    ...(payment === undefined ? {} : { paymentId: idIn(payment) }),
    ...(endpoint === undefined ? {} : { endpointId: idIn(endpoint) }),
    ...(type === undefined ? {} : { type }),
    ...(status === undefined ? {} : { status }),
    ...(from === undefined ? {} : { from: instantIn(from, '--from') }),
    ...(to === undefined ? {} : { to: instantIn(to, '--to') }),
  };
}
