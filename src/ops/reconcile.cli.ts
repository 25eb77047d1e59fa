import type { Command } from 'commander';
import { addMinutes, addSeconds, Clock, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { isUuid, Ids } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { ReconcilePage, type PageHeard } from '../payments/history.handlers.js';
import { GatewayUnavailable } from '../payments/payment-gateway.js';
import { Reconcile, type Reconciled } from '../payments/payment.handlers.js';
import type { Cause, LoadedPayment } from '../payments/payment-streams.pg.js';
import { isFulfillable, labelsOf, progressOf } from '../payments/standing.js';
import { withOperatorLock } from '../platform/database/operator-lock.pg.js';
import { counted, printable, withExamples, type Report, type Run, type Terminal } from './command.cli.js';
import { operatorHere } from './operator.cli.js';
import { instantIn } from './arguments.cli.js';
import type { Commands, Workspace } from './workspace.pg.js';

interface ReconcileOptions {
  payment?: string;
  since?: string;
  json?: boolean;
}

/** Adds `reconcile`. */
export function reconcileCommand(cli: Command, run: Run): void {
  withExamples(
    cli
      .command('reconcile')
      .description(
        'asks the gateway now and tells what changed: about one payment, or about all that were created at the gateway since a ' +
          'time (without options: in the last 24 hours). What it says enters as evidence, as in the looks of the service.',
      )
      .option('--payment <id>', 'this payment')
      .option('--since <time>', 'all created at this RFC 3339 time or later')
      .option('--json', 'one JSON value')
      .action((options: ReconcileOptions, command: Command) => {
        const { payment, since } = options;
        if (payment !== undefined && since !== undefined) command.error('error: give --payment or --since, not both');
        return run(options, (workspace, terminal) =>
          payment === undefined ? history(workspace, terminal, options) : one(workspace, payment),
        );
      }),
    'reconcile --payment 0198c0de-…',
    'reconcile --since 2026-01-31T00:00:00Z',
  );
}

/** What a look at the gateway made of a payment. */
interface Change {
  paymentId: string;
  orderId: string;
  status: string;
  progress: string;
  labels: string[];
  fulfillable: boolean;
  /** What was appended. */
  events: { version: number; type: string }[];
}

const changeOf = ({ payment }: LoadedPayment, added: readonly RecordedEvent[]): Change => ({
  paymentId: payment.terms.id,
  orderId: payment.terms.orderId,
  status: payment.status,
  progress: progressOf(payment),
  labels: labelsOf(payment),
  fulfillable: isFulfillable(payment),
  events: added.map(({ version, type }) => ({ version, type })),
});

const lineOf = ({ paymentId, orderId, status, progress, labels, fulfillable, events }: Change): string => {
  const marks = [...labels, ...(fulfillable ? ['fulfillable'] : [])];
  const happened =
    events.length === 0 ? 'nothing new' : events.map(({ version, type }) => `#${String(version)} ${type}`).join(', ');
  const standing = `${status} / ${progress}${marks.length > 0 ? ` [${marks.join(', ')}]` : ''}`;
  return `${paymentId}  order ${orderId}  ${standing}: ${happened}`;
};

async function one(workspace: Workspace, id: string): Promise<Report> {
  if (!isUuid(id)) throw new Refusal('not_found', `"${id.slice(0, 64)}" is not a payment id (a UUID).`);
  const commands = await workspace.commands();
  const loaded = await asked(commands.execute<Reconciled>(new Reconcile(id, causeOf(commands))), null);
  const change = changeOf(loaded, loaded.added);
  return { ok: true, json: change, text: lineOf(change) };
}

const daySeconds = 86_400;
/** The gateway dates payments by its own clock. */
const clocksApartMinutes = 5;
const pagesAtMost = 1000;
/** Changes that `--json` lists; all are counted. */
const listedAtMost = 10_000;

interface Told {
  from: Instant;
  to: Instant;
  /** Payments that the gateway told of, those of other systems too, and those of ours. */
  reports: number;
  payments: number;
  changed: number;
  events: number;
  changes: Change[];
  /** Track ids of those that could not be decided upon. */
  failed: string[];
}

async function history(workspace: Workspace, terminal: Terminal, { since, json }: ReconcileOptions): Promise<Report> {
  const commands = await workspace.commands();
  const now = commands.get(Clock).now();
  const from = since === undefined ? addSeconds(now, -daySeconds) : instantIn(since, '--since');
  const to = addMinutes(now, clocksApartMinutes);
  if (from >= now) throw new Refusal('malformed_request', '--since takes a time in the past.');
  const told: Told = { from, to, reports: 0, payments: 0, changed: 0, events: 0, changes: [], failed: [] };
  const tell = async (change: Change): Promise<void> => {
    if (json) {
      if (told.changes.length < listedAtMost) told.changes.push(change);
    } else await terminal.write(`${printable(lineOf(change))}\n`);
  };
  await withOperatorLock(workspace.databaseUrl, 'reconcile', () => walk(commands, terminal, told, tell));
  return { ok: told.failed.length === 0, json: told, text: summary(told) };
}

/** A day at a time, so that it can be told from where to go on. */
async function walk(
  commands: Commands,
  terminal: Terminal,
  told: Told,
  tell: (change: Change) => Promise<void>,
): Promise<void> {
  const progress = terminal.progress('reconcile', 'payments');
  for (let from = told.from; from < told.to;) {
    const next = addSeconds(from, daySeconds);
    const to = next < told.to ? next : told.to;
    try {
      for (let page = 1, last = 1; page <= Math.min(last, pagesAtMost); page++) {
        terminal.checkpoint();
        const cause = causeOf(commands);
        const heard = await asked(commands.execute<PageHeard>(new ReconcilePage({ from, to }, page, cause)), from);
        last = heard.lastPage;
        if (last > pagesAtMost)
          throw new Error(`the gateway's history from ${from} to ${to} has more than ${counted(pagesAtMost)} pages.`);
        await count(told, heard, cause, tell);
        progress.update(told.reports, null);
      }
    } catch (error) {
      if (terminal.signal.aborted) terminal.note(`Go on with: finality reconcile --since ${from}`);
      throw error;
    }
    from = to;
  }
  progress.end();
}

async function count(
  told: Told,
  heard: PageHeard,
  cause: Cause,
  tell: (change: Change) => Promise<void>,
): Promise<void> {
  told.reports += heard.reports;
  told.payments += heard.payments.length;
  told.failed.push(...heard.failed);
  for (const loaded of heard.payments) {
    const added = loaded.events.filter(({ correlationId }) => correlationId === cause.correlationId);
    if (added.length === 0) continue;
    told.changed++;
    told.events += added.length;
    await tell(changeOf(loaded, added));
  }
}

function summary({ from, to, reports, payments, changed, events, failed }: Told): string {
  const lines = [
    `From ${from} to ${to} the gateway tells of ${counted(reports)} payments, ${counted(payments)} of them ours: ${counted(changed)} changed, by ${counted(events)} events.`,
  ];
  if (failed.length > 0)
    lines.push(
      `${counted(failed.length)} could not be decided upon, among them track ids ${failed.slice(0, 10).join(', ')}.`,
    );
  return lines.join('\n');
}

/** A silent gateway is no defect here: says what to do about it. */
async function asked<T>(question: Promise<T>, from: Instant | null): Promise<T> {
  try {
    return await question;
  } catch (error) {
    if (!(error instanceof GatewayUnavailable)) throw error;
    const again = from === null ? 'try again later' : `go on later with: finality reconcile --since ${from}`;
    throw new Refusal('gateway_unavailable', `The gateway could not be asked (${error.message}); ${again}.`);
  }
}

function causeOf(commands: Commands): Cause {
  const id = commands.get(Ids).next();
  return { actor: operatorHere(), correlationId: id, causationId: id };
}
