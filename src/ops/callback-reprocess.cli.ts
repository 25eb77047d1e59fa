import { callbackSource } from '../payments/evidence.js';
import { ReprocessMessage, type Reprocessed } from '../payments/reprocess.handlers.js';
import { withOperatorLock } from '../platform/database/operator-lock.pg.js';
import { openAtMost, openMessageIds } from '../platform/event-store/inbox.pg.js';
import { counted, isProduction, printable, type Report, type Terminal } from './command.cli.js';
import { operatorHere } from './operator.cli.js';
import { idIn, instantIn } from './arguments.cli.js';
import { keptInWords } from './kept-message.js';
import type { Workspace } from './workspace.pg.js';

export interface ReprocessOptions {
  id?: string[];
  status?: 'unmatched' | 'quarantined';
  reason?: string;
  from?: string;
  to?: string;
  signedWithRetiredKey?: boolean;
  yes?: boolean;
  json?: boolean;
}

interface Tally {
  applied: number;
  events: number;
  /** How many stay as they are, by reason. */
  kept: Map<string, number>;
  results: Reprocessed[];
}

/** Results that `--json` lists; all are counted. */
const listedAtMost = 10_000;

/** Applies kept callbacks one after another; each is whole in itself. */
export async function reprocess(workspace: Workspace, terminal: Terminal, options: ReprocessOptions): Promise<Report> {
  const dryRun = isProduction(workspace) && !options.yes;
  const ids = options.id?.map(idIn) ?? (await chosen(workspace, options));
  if (ids.length >= openAtMost)
    terminal.note(
      `There are more than ${counted(openAtMost)}: the oldest are taken; narrow it down with --from and --to for the others.`,
    );
  const tally: Tally = { applied: 0, events: 0, kept: new Map(), results: [] };
  const work = (): Promise<void> => applyAll(workspace, terminal, ids, { ...options, dryRun }, tally);
  await (dryRun ? work() : withOperatorLock(workspace.databaseUrl, 'callbacks reprocess', work));
  const { applied, events, kept, results } = tally;
  const json = { dryRun, applied, events, kept: Object.fromEntries(kept), results };
  return { ok: !dryRun && kept.size === 0, json, text: summary(tally, dryRun) };
}

function chosen({ pool }: Workspace, { status, reason, from, to }: ReprocessOptions): Promise<string[]> {
  return openMessageIds(pool, {
    sources: [callbackSource],
    statuses: status === undefined ? ['unmatched', 'quarantined'] : [status],
    ...(reason === undefined ? {} : { reason }),
    ...(from === undefined ? {} : { from: instantIn(from, '--from') }),
    ...(to === undefined ? {} : { to: instantIn(to, '--to') }),
  });
}

async function applyAll(
  workspace: Workspace,
  terminal: Terminal,
  ids: readonly string[],
  { dryRun, signedWithRetiredKey = false, json = false }: ReprocessOptions & { dryRun: boolean },
  tally: Tally,
): Promise<void> {
  const commands = await workspace.commands();
  const actor = operatorHere();
  const progress = terminal.progress('callbacks reprocess', 'callbacks');
  for (const [done, id] of ids.entries()) {
    terminal.checkpoint();
    const result = await commands.execute<Reprocessed>(
      new ReprocessMessage(id, { actor, retiredKey: signedWithRetiredKey, dryRun }),
    );
    add(tally, result);
    if (!json) await terminal.write(`${printable(lineOf(result))}\n`);
    progress.update(done + 1, ids.length);
  }
  progress.end();
}

function add(tally: Tally, result: Reprocessed): void {
  if (tally.results.length < listedAtMost) tally.results.push(result);
  if (result.outcome === 'kept') {
    const reason = result.reason ?? 'unknown';
    tally.kept.set(reason, (tally.kept.get(reason) ?? 0) + 1);
    return;
  }
  tally.applied++;
  tally.events += result.events.length;
}

function lineOf({ id, outcome, reason, paymentId, events }: Reprocessed): string {
  if (outcome === 'would_match') return `${id}  would be applied to ${paymentId ?? 'a deposit address'}`;
  if (outcome === 'kept') {
    const why = reason ?? '';
    return `${id}  stays: ${keptInWords(why, 'believed with --signed-with-retired-key')}`;
  }
  if (paymentId === null) return `${id}  was applied before`;
  const added = events.map(({ version, type }) => `#${String(version)} ${type}`).join(', ');
  return `${id}  applied to ${paymentId}: ${added === '' ? 'nothing new' : added}`;
}

function summary({ applied, events, kept }: Tally, dryRun: boolean): string {
  const stay = [...kept].map(([reason, count]) => `${counted(count)} ${reason}`).join(', ');
  const lines = [
    `${counted(applied)} ${dryRun ? 'would be applied' : `applied, with ${counted(events)} events`}${stay === '' ? '' : `; these stay: ${stay}`}.`,
  ];
  if (dryRun) lines.push('Nothing was changed. Add --yes to do it.');
  return lines.join('\n');
}
