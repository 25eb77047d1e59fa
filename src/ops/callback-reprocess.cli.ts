import { callbackSource } from '../payments/evidence.js';
import { ReprocessMessage, type Reprocessed, type ReprocessRefusal } from '../payments/reprocess.handlers.js';
import { withOperatorLock } from '../platform/database/operator-lock.pg.js';
import { openAtMost, openMessageIds } from '../platform/event-store/inbox.pg.js';
import { counted, isProduction, printable, type Report, type Terminal } from './command.cli.js';
import { operatorHere } from './operator.cli.js';
import { idIn, instantIn } from './arguments.cli.js';
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

/** Why something stays, and what can be done about it. Faults of reading have no sentence: their name says it. */
const sentences: Readonly<Record<ReprocessRefusal, string>> = {
  not_a_callback: 'an answer to a question, which is asked again with: reconcile --payment',
  hash_differs: 'refused: it is not as it was stored; somebody has changed it in the database',
  hash_missing: 'refused: its hash is gone; somebody has changed it in the database',
  no_signature_kept:
    'its signature was not kept, so that nothing shows where it is from; believed with --signed-with-retired-key',
  unknown_key: 'signed with a key that is not configured any more; believed with --signed-with-retired-key',
  wrong_key: 'refused: its key may not speak of this',
  unknown_track_id: 'no payment here has its track id',
  unknown_payout: 'no payout of ours has its track id',
  identity_mismatch: 'its order id and its track id are of different payments',
  decision_failed: 'it could not be decided upon: a defect, or an event of a newer version',
};

const isRefusal = (reason: string): reason is ReprocessRefusal => reason in sentences;

function lineOf({ id, outcome, reason, paymentId, events }: Reprocessed): string {
  if (outcome === 'would_match') return `${id}  would be applied to ${paymentId ?? ''}`;
  if (outcome === 'kept') {
    const why = reason ?? '';
    return `${id}  stays: ${isRefusal(why) ? `${why}, ${sentences[why]}` : `cannot be read (${why})`}`;
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
