import { Option, type Command } from 'commander';
import { readCallback, type CallbackReading } from '../gateway/wire.js';
import { addSeconds, type Instant } from '../kernel/clock.js';
import { callbackSource, pollSource } from '../payments/evidence.js';
import { trackKeyScope } from '../payments/gateway-event.handlers.js';
import { isReportable } from '../payments/payment.js';
import { payoutKeyScope } from '../payments/payout-event.handlers.js';
import { refundsOf } from '../payments/refund-schedule.js';
import { SystemClock } from '../platform/clock.js';
import { noStream } from '../platform/event-store/event-store.pg.js';
import { listMessages, type ListedMessage, type MessageFilter } from '../platform/event-store/inbox.pg.js';
import { reprocess, type ReprocessOptions } from './callback-reprocess.cli.js';
import { showMessage } from './callback-show.cli.js';
import { counted, withExamples, type Report, type Run } from './command.cli.js';
import { idIn, instantIn, limitIn } from './arguments.cli.js';
import type { Workspace } from './workspace.pg.js';

const statuses = ['applied', 'unmatched', 'matched', 'quarantined'] as const;
const sources = { callback: [callbackSource], poll: [pollSource], all: [callbackSource, pollSource] } as const;

interface ListOptions {
  status?: (typeof statuses)[number];
  reason?: string;
  trackId?: string;
  payment?: string;
  source: keyof typeof sources;
  from?: string;
  to?: string;
  limit: string;
  json?: boolean;
}

/** Adds `callbacks list`, `callbacks show` and `callbacks reprocess`. */
export function callbacksCommand(cli: Command, run: Run): void {
  const callbacks = cli
    .command('callbacks')
    .description("the gateway's callbacks and answers as they came, and what became of them");
  withExamples(
    callbacks
      .command('list')
      .description(
        'newest first, those without a payment included, and how many were turned away. Where neither a payment, a track id, a ' +
          'reason nor a status but applied is named: the last 24 hours, unless --from says otherwise',
      )
      .addOption(new Option('--status <status>', 'what became of it').choices(statuses))
      .option('--reason <reason>', 'why it was not applied: unknown_track_id, identity_mismatch, not_json, …')
      .option('--track-id <id>', "about this payment or payout of the gateway's")
      .option('--payment <id>', 'about this payment of ours')
      .addOption(
        new Option('--source <source>', 'what the gateway sent, or what it answered when it was asked')
          .choices(Object.keys(sources))
          .default('callback'),
      )
      .option('--from <time>', 'received at this RFC 3339 time or later')
      .option('--to <time>', 'received before this RFC 3339 time')
      .option('--limit <n>', '1 to 1000', '50')
      .option('--json', 'one JSON value')
      .action((options: ListOptions) => run(options, (workspace) => list(workspace, options))),
    'callbacks list',
    'callbacks list --status quarantined --reason unknown_status',
    'callbacks list --payment 0198c0de-… --json',
  );
  withExamples(
    callbacks
      .command('show <id>')
      .description(
        'one of them whole: its bytes, headers and signature, what can be read in it, and the events that it caused',
      )
      .option('--json', 'one JSON value; the bytes in base64')
      .action((id: string, options: { json?: boolean }) =>
        run(options, (workspace) => showMessage(workspace, idIn(id))),
      ),
    'callbacks show 0198c0de-…',
    'callbacks show 0198c0de-… --json | jq -r .body.base64 | base64 -d',
  );
  reprocessCommand(callbacks, run);
}

function reprocessCommand(callbacks: Command, run: Run): void {
  withExamples(
    callbacks
      .command('reprocess')
      .description(
        'applies what was kept, once: after a newer version can read it, its payment has appeared, or a key was rotated. Without ' +
          'a filter: all that is unmatched or in quarantine, oldest first. Ends with 1 where something stays as it is',
      )
      .option('--id <id...>', 'these')
      .addOption(new Option('--status <status>', 'those that stand so').choices(['unmatched', 'quarantined']))
      .option('--reason <reason>', 'those that were kept for this reason')
      .option('--from <time>', 'received at this RFC 3339 time or later')
      .option('--to <time>', 'received before this RFC 3339 time')
      .option(
        '--signed-with-retired-key',
        'believe those, too, whose signature fits no key that is configured now: each had a good one when it came, unless somebody wrote it into the database',
      )
      .option('--yes', 'do it; on production the command says otherwise what it would do, and exits with 1')
      .option('--json', 'one JSON value')
      .action((options: ReprocessOptions & { json?: boolean }, command: Command) => {
        const filtered = [options.status, options.reason, options.from, options.to].some(
          (value) => value !== undefined,
        );
        if (options.id !== undefined && filtered) command.error('error: no filter goes with --id');
        return run(options, (workspace, terminal) => reprocess(workspace, terminal, options));
      }),
    'callbacks reprocess --status quarantined --reason unknown_status',
    'callbacks reprocess --id 0198c0de-… --signed-with-retired-key --yes',
  );
}

const daySeconds = 86_400;

async function list(workspace: Workspace, options: ListOptions): Promise<Report> {
  const limit = limitIn(options.limit);
  const { status, reason } = options;
  // Where the sandbox's clock was moved on, what it dates is newer than all else: it comes first, and is in every span.
  const now = new SystemClock().now();
  const span = spanOf(options, now);
  const filter: MessageFilter = {
    sources: sources[options.source],
    ...(status === undefined ? {} : { statuses: [status] }),
    ...(reason === undefined ? {} : { reason }),
    ...(await aboutOf(workspace, options)),
    ...span,
  };
  const keyScopes = [trackKeyScope, payoutKeyScope];
  const found = await listMessages(workspace.pool, filter, { limit: limit + 1, now, keyScopes });
  const items = found.slice(0, limit).map(itemOf);
  const counts = { from: addSeconds(now, -daySeconds), ...span };
  const rejected = await rejectionsIn(workspace, counts);
  const more = found.length > limit;
  const lines = [
    ...(items.length === 0 ? ['Nothing fits.'] : items.map(lineOf)),
    ...(more ? ['There are more: narrow it down, or raise --limit.'] : []),
    '',
    rejectedLine(rejected, counts),
  ];
  return {
    ok: true,
    json: { items, more, ...span, rejected: { ...counts, byReason: rejected } },
    text: lines.join('\n'),
  };
}

/** What is searched by an index of its own needs no span; the rest is read by time. */
function spanOf(
  { from, to, status, reason, trackId, payment }: ListOptions,
  now: Instant,
): { from?: Instant; to?: Instant } {
  const isSmall =
    [reason, trackId, payment].some((value) => value !== undefined) || (status ?? 'applied') !== 'applied';
  const until = to === undefined ? {} : { to: instantIn(to, '--to') };
  if (from !== undefined) return { from: instantIn(from, '--from'), ...until };
  return isSmall ? until : { from: addSeconds(until.to ?? now, -daySeconds), ...until };
}

async function aboutOf(
  workspace: Workspace,
  { payment, trackId }: ListOptions,
): Promise<Pick<MessageFilter, 'about' | 'subject'>> {
  if (payment !== undefined) {
    const { payment: state } = await workspace.payment(payment);
    const invoice = isReportable(state) ? [state.invoice.trackId] : [];
    const payouts = refundsOf(state).flatMap(({ trackId: id }) => (id === null ? [] : [id]));
    const about = { streams: [payment], subjects: [...invoice, ...payouts] };
    return { about, ...(trackId === undefined ? {} : { subject: trackId }) };
  }
  if (trackId === undefined) return {};
  const scopes = [trackKeyScope, payoutKeyScope];
  const holders = await Promise.all(scopes.map((scope) => workspace.store.streamOf(scope, trackId)));
  const streams = holders.filter((holder) => holder !== null);
  return { about: { streams, subjects: [trackId] }, subject: trackId };
}

interface Item {
  id: string;
  receivedAt: Instant;
  lastReceivedAt: Instant;
  receipts: number;
  source: string;
  status: string;
  reason: string | null;
  /** What the present version reads in it. */
  about: string;
  trackId: string | null;
  paymentId: string | null;
}

function itemOf({ streamId, body, subject, source, holder, ...message }: ListedMessage): Item {
  const { id, receivedAt, lastReceivedAt, receipts, status, reason } = message;
  return {
    ...{ id, receivedAt, lastReceivedAt, receipts, source, status, reason },
    about: source === pollSource ? 'answer to a question' : aboutIn(readCallback(body)),
    trackId: subject,
    paymentId: streamId === noStream ? holder : streamId,
  };
}

const aboutIn = (reading: CallbackReading): string =>
  reading.kind === 'unreadable' ? `unreadable (${reading.reason})` : `${reading.kind} ${reading.report.status}`;

function lineOf({ id, receivedAt, receipts, status, reason, about, trackId, paymentId }: Item): string {
  const verdict = reason === null ? status : `${status} (${reason})`;
  const times = receipts === 1 ? '' : ` ×${String(receipts)}`;
  return `${receivedAt}${times}  ${id}  ${verdict}  ${about}${trackId === null ? '' : ` ${trackId}`}${paymentId === null ? '' : `  → ${paymentId}`}`;
}

/** Of those that are turned away nothing is kept but how many there were in each hour. */
async function rejectionsIn(
  { pool }: Workspace,
  { from, to }: { from: Instant; to?: Instant },
): Promise<{ reason: string; count: number }[]> {
  const text = `select reason, sum(count)::bigint as count from callback_rejection
    where hour > $1::timestamptz - interval '1 hour' and hour < coalesce($2::timestamptz, 'infinity') group by reason order by 2 desc, 1`;
  return (await pool.query<{ reason: string; count: number }>(text, [from, to ?? null])).rows;
}

function rejectedLine(
  rejected: { reason: string; count: number }[],
  { from, to }: { from: Instant; to?: Instant },
): string {
  const span = `in the hours from ${from.slice(0, 13)}:00Z${to === undefined ? '' : ` to ${to}`}`;
  if (rejected.length === 0) return `None was turned away ${span}.`;
  return `Turned away ${span}: ${rejected.map(({ reason, count }) => `${counted(count)} ${reason}`).join(', ')}.`;
}
