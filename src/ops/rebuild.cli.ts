import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { Refusal } from '../kernel/refusal.js';
import { rebuild, type RebuildPlan, type RebuildResult } from '../platform/subscriptions/rebuild.pg.js';
import type { Projection } from '../platform/subscriptions/projection.js';
import type { RowDifference, TableDifferences } from '../platform/subscriptions/table-differences.pg.js';
import { DepositAddressProjection } from '../read-models/deposit-addresses.pg.js';
import { OrderProjection } from '../read-models/order-projection.pg.js';
import { PaymentTraceProjection } from '../read-models/payment-trace-projection.pg.js';
import { version } from '../version.js';
import { counted, isProduction, printable, type Report, type Terminal } from './command.cli.js';
import type { Workspace } from './workspace.pg.js';

/** Every read model that can be rebuilt. A reactor (fulfilment, webhooks) is no projection and cannot be listed here. */
export const projections: readonly Projection[] = [
  new OrderProjection(),
  new DepositAddressProjection(),
  new PaymentTraceProjection(),
];

export interface RebuildCommand {
  projection: string;
  from?: number | undefined;
  verify?: boolean | undefined;
  dryRun?: boolean | undefined;
  restart?: boolean | undefined;
  rate?: number | undefined;
  yes?: boolean | undefined;
  json?: boolean;
}

type Named = RebuildResult & { projection: string };

/** Rebuilds read models beside the live ones and swaps them; in production only with `yes`. */
export async function rebuildProjections(
  workspace: Workspace,
  terminal: Terminal,
  command: RebuildCommand,
): Promise<Report> {
  const chosen = projections.filter(({ name }) => command.projection === 'all' || command.projection === name);
  if (chosen.length === 0) {
    throw new Refusal(
      'not_found',
      `There is no projection "${command.projection.slice(0, 64)}"; there are: ${projections.map((each) => each.name).join(', ')}, all.`,
    );
  }
  const withheld = isProduction(workspace) && !command.yes && !command.dryRun;
  const dryRun = command.dryRun === true || withheld;
  const results: Named[] = [];
  for (const projection of chosen)
    results.push(await rebuildOne(workspace, terminal, projection, { ...command, dryRun }));
  const differ = results.some((result) => result.tables.some((table) => !table.same));
  const lines = results.map((result) => told(result, command));
  if (withheld) lines.push('Nothing was swapped: this is production. Add --yes to put the new tables in place.');
  return { ok: !withheld && !(dryRun && differ), json: results, text: lines.join('\n') };
}

async function rebuildOne(
  { databaseUrl }: Workspace,
  terminal: Terminal,
  projection: Projection,
  { from, verify = false, dryRun = false, restart = false, rate, json }: RebuildCommand,
): Promise<Named> {
  const progress = terminal.progress(projection.name, 'events');
  const work = { begun: false };
  try {
    const result = await rebuild(databaseUrl, projection, {
      release: await builtBy(),
      dryRun,
      verify,
      restart,
      ...(from !== undefined && { from }),
      ...(rate !== undefined && { rate }),
      signal: terminal.signal,
      onBegin: (plan) => {
        work.begun = true;
        terminal.note(`${projection.name}: ${beginning(plan)}`);
      },
      onProgress: ({ done, total }) => {
        progress.update(done, total);
      },
      // Before the swap, so that nothing is swapped where nobody reads what it changes.
      ...(verify &&
        !dryRun &&
        !json && { onCompared: (tables) => terminal.write(`${printable(comparison(tables))}\n`) }),
    });
    work.begun = false;
    return { projection: projection.name, ...result };
  } finally {
    progress.end();
    if (work.begun) terminal.note(`${projection.name}: not finished; the same command goes on from here.`);
  }
}

/** The release and what its files hold: mended code counts as other code, whatever its number says. */
async function builtBy(): Promise<string> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const hash = createHash('sha256');
  for (const name of (await readdir(root, { recursive: true })).sort())
    if (name.endsWith('.js')) hash.update(name).update(await readFile(join(root, name)));
  return `${version} ${hash.digest('hex')}`;
}

const beginning = ({ resumedAt, discarded, events }: RebuildPlan): string =>
  resumedAt === null
    ? `${counted(events)} events to read${discarded ? '; what an earlier run had begun is thrown away' : ''}.`
    : `goes on after position ${counted(resumedAt)}, where an earlier run ended: ${counted(events)} events to read (--restart begins anew).`;

function told({ projection, events, position, swapped, tables }: Named, { verify, json }: RebuildCommand): string {
  const head = `${projection}: ${String(events)} events up to position ${String(position)} ${swapped ? 'replayed and swapped in' : 'compared'}`;
  const shown = swapped && verify && !json;
  return tables.length === 0 || shown ? head : `${head}\n${comparison(tables)}`;
}

const comparison = (tables: readonly TableDifferences[]): string => tables.map(compared).join('\n');

function compared(table: TableDifferences): string {
  if (table.same) return `  ${table.table}: same, ${String(table.live)} rows`;
  const { live, rebuilt, changed, missing, extra, differences } = table;
  const more = changed + missing + extra - differences.length;
  return [
    `  ${table.table}: DIFFERS, ${String(live)} rows live, ${String(rebuilt)} rebuilt: ${String(changed)} changed, ${String(missing)} missing, ${String(extra)} extra`,
    ...differences.flatMap(difference),
    ...(more > 0 ? [`    … and ${counted(more)} more`] : []),
  ].join('\n');
}

function difference({ key, kind, columns }: RowDifference): string[] {
  const row = Object.entries(key)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  const what = { changed: '', missing: ' is missing in the live table', extra: ' is in the live table only' }[kind];
  return [
    `    ${oneLine(row)}${what}`,
    ...columns.map(({ column, live, rebuilt }) => `      ${column}: live ${value(live)}, rebuilt ${value(rebuilt)}`),
  ];
}

const value = (text: string | null): string => (text === null ? 'null' : oneLine(text));

/** A value must not look like the next line. */
const oneLine = (text: string): string => text.replaceAll('\n', '?');
