import { open, rename, rm, type FileHandle } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { stringify } from 'csv-stringify/sync';
import { addSeconds, readInstant, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { firstPaymentEvent, fold } from '../payments/payment-stream.js';
import { scanStreams } from '../platform/event-store/stream-scan.pg.js';
import {
  counted,
  isProduction,
  printable,
  printableJson,
  withExamples,
  type Report,
  type Run,
  type Terminal,
} from './command.cli.js';
import { cellsOf, firstIdAt, paymentColumns, paymentRow, transferColumns, type PaymentRow } from './payment-rows.js';
import type { Workspace } from './workspace.pg.js';

interface ExportOptions {
  from?: string;
  to?: string;
  format?: 'csv' | 'json';
  application?: string;
  transfers?: boolean;
  output?: string;
  json?: boolean;
}

/** Adds `export`: every payment of every status, from the payments' own events. */
export function exportCommand(cli: Command, run: Run): void {
  const command = cli
    .command('export')
    .description('every payment of every status, with amounts in both currencies and rates; oldest first')
    .option('--from <time>', 'created at this RFC 3339 time or later')
    .option('--to <time>', 'created before this RFC 3339 time')
    .addOption(new Option('--format <format>', 'csv for spreadsheets, json for programs').choices(['csv', 'json']))
    .option('--application <name>', 'of this application only, by its name or id')
    .option('--transfers', 'with csv: one row for each on-chain transaction (json has them within the payments)')
    .option('--output <file>', 'into this file, which appears once it is whole')
    .option('--json', 'the same as --format json; with --output, the outcome as one JSON value')
    .action((options: ExportOptions, itself: Command) => {
      if (options.format === undefined && !options.json) itself.error('error: give --format csv or --format json');
      return run(options, (workspace, terminal) => exportPayments(workspace, terminal, options));
    });
  withExamples(
    command,
    'export --from 2026-01-01T00:00:00Z --to 2026-02-01T00:00:00Z --format csv --output january.csv',
    'export --format csv --transfers --application shop > transfers.csv',
    'export --format json | jq -c ".[] | select(.status == \\"paid\\")"',
  );
}

/** How the rows are written, a page of payments at a time. */
interface Writer {
  head: string;
  page(rows: readonly PaymentRow[], first: boolean): string;
  tail: string;
}

type Sink = (text: string) => Promise<void>;

async function exportPayments(workspace: Workspace, terminal: Terminal, options: ExportOptions): Promise<Report> {
  const format = options.format ?? 'json';
  const wanted: Wanted = {
    from: options.from === undefined ? null : timeOf('--from', options.from),
    to: options.to === undefined ? null : timeOf('--to', options.to),
    applications: await applicationsOf(workspace, options.application),
  };
  const writer = format === 'json' ? jsonWriter : options.transfers ? transferWriter : paymentWriter;
  const { output } = options;
  if (output === undefined) {
    await write(workspace, terminal, wanted, writer, (text) => terminal.write(text));
    return { ok: true, streamed: true };
  }
  const payments = await intoFile(output, (sink) => write(workspace, terminal, wanted, writer, sink));
  const text = `${counted(payments)} ${payments === 1 ? 'payment' : 'payments'} written to ${output}.`;
  return { ok: true, json: { file: output, format, payments }, text };
}

interface Wanted {
  from: Instant | null;
  to: Instant | null;
  /** Names by id; those of which payments are wanted. `only`: the one that was asked for. */
  applications: { names: ReadonlyMap<string, string>; only: string | null };
}

async function write(
  workspace: Workspace,
  terminal: Terminal,
  wanted: Wanted,
  writer: Writer,
  sink: Sink,
): Promise<number> {
  const progress = terminal.progress('export', 'payments');
  let written = 0;
  let begun = false;
  for await (const rows of pagesOf(workspace, wanted, terminal.signal)) {
    if (rows.length === 0) continue;
    await sink((begun ? '' : writer.head) + writer.page(rows, !begun));
    begun = true;
    written += rows.length;
    progress.update(written, null);
    terminal.checkpoint();
  }
  await sink((begun ? '' : writer.head) + writer.tail);
  progress.end();
  return written;
}

/** How far the clock of whoever gave out an id may have been from the one that dated the payment. */
const clocksApartSeconds = 3600;

/** Ids are in the order of time, so that only those of the span are read; the sandbox's clock runs ahead of its ids. */
async function* pagesOf(workspace: Workspace, wanted: Wanted, signal: AbortSignal): AsyncGenerator<PaymentRow[]> {
  const { from, to, applications } = wanted;
  const { only, names } = applications;
  const after = from !== null && isProduction(workspace) ? firstIdAt(addSeconds(from, -clocksApartSeconds)) : null;
  const end = to === null ? null : firstIdAt(addSeconds(to, clocksApartSeconds));
  const scan = scanStreams(workspace.pool, {
    beginsWith: firstPaymentEvent,
    signal,
    pageSize: 2000,
    ...(only === null ? {} : { tenant: only }),
    ...(after === null ? {} : { after }),
  });
  for await (const { streams, last } of scan) {
    yield streams.flatMap((events) => {
      const row = rowOf(events, names);
      return (from === null || row.createdAt >= from) && (to === null || row.createdAt < to) ? [row] : [];
    });
    if (end !== null && last !== null && last > end) return;
  }
}

/** A report that leaves something out, or guesses at it, is worse than none. */
function rowOf(events: readonly RecordedEvent[], names: ReadonlyMap<string, string>): PaymentRow {
  const last = events.at(-1);
  const id = last?.streamId ?? '';
  try {
    const payment = fold(events);
    if (payment && last?.version === events.length)
      return paymentRow(payment, names.get(payment.terms.applicationId) ?? '');
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    throw new Error(`payment ${id} cannot be read (${fault}): run \`finality verify --payment ${id}\`.`, {
      cause: error,
    });
  }
  throw new Error(
    `payment ${id} has events that this version of Finality does not know, or lacks some: run the version that wrote them, or \`finality verify --payment ${id}\`.`,
  );
}

// Spreadsheets take a file without this mark for one in the machine's own old character set.
const byteOrderMark = '\ufeff';
const csv = (rows: string[][]): string => stringify(rows, { record_delimiter: 'windows' });

const paymentWriter: Writer = {
  head: byteOrderMark + csv([paymentColumns.map(({ name }) => name)]),
  page: (rows) => csv(rows.map((row) => cellsOf(paymentColumns, row))),
  tail: '',
};

const transferWriter: Writer = {
  head: byteOrderMark + csv([transferColumns.map(({ name }) => name)]),
  page: (rows) => csv(rows.flatMap(({ transfers }) => transfers.map((row) => cellsOf(transferColumns, row)))),
  tail: '',
};

const jsonWriter: Writer = {
  head: '[\n',
  page: (rows, first) => (first ? '' : ',\n') + rows.map((row) => printableJson(row)).join(',\n'),
  tail: '\n]\n',
};

/** Writes beside the file and renames: what bears its name is whole. A file of that name is replaced. */
async function intoFile(path: string, fill: (sink: Sink) => Promise<number>): Promise<number> {
  const beside = `${path}.part-${String(process.pid)}`;
  const file = await opened(beside);
  try {
    const written = await fill(async (text) => {
      await file.writeFile(text);
    });
    await file.sync();
    await file.close();
    await rename(beside, path);
    return written;
  } catch (error) {
    await file.close().catch(() => undefined);
    await rm(beside, { force: true });
    throw error;
  }
}

/** For its owner alone: it tells who paid what. */
async function opened(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w', 0o600);
  } catch (error) {
    throw new Refusal(
      'malformed_request',
      `--output: ${error instanceof Error ? error.message : 'the file cannot be written'}.`,
    );
  }
}

async function applicationsOf({ pool }: Workspace, wanted: string | undefined): Promise<Wanted['applications']> {
  const { rows } = await pool.query<{ id: string; name: string }>('select id, name from application order by name');
  const names = new Map(rows.map(({ id, name }) => [id, name]));
  if (wanted === undefined) return { names, only: null };
  const found = rows.find(({ id, name }) => name === wanted || (isUuid(wanted) && id === wanted));
  if (found) return { names, only: found.id };
  const some = rows.slice(0, 20).map(({ name }) => name);
  throw new Refusal(
    'malformed_request',
    `There is no application "${printable(wanted.slice(0, 64))}"; there are: ${some.join(', ')}.`,
  );
}

function timeOf(option: string, text: string): Instant {
  const time = readInstant(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text);
  if (time !== null) return time;
  throw new Refusal(
    'malformed_request',
    `${option} takes an RFC 3339 time such as 2026-01-31T12:00:00Z, or a day such as 2026-01-31.`,
  );
}
