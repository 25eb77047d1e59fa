import type { Command } from 'commander';
import { Refusal } from '../kernel/refusal.js';
import { fulfillmentStreamOf } from '../fulfillment/fulfillment.js';
import { createPool } from '../platform/database/database.pg.js';
import { operatorName } from '../platform/database/operator-lock.pg.js';
import { breakReasons, type Break } from '../platform/proof/breaks.js';
import { CheckpointFiles } from '../platform/proof/checkpoint-files.job.js';
import { isKey, proofKeys } from '../platform/proof/signing.js';
import { auditLimits, auditSome, auditStore, type StoreAudit } from '../platform/proof/store-audit.pg.js';
import { rebuild } from '../platform/subscriptions/rebuild.pg.js';
import { namesOfStreams, type StreamName } from './stream-names.pg.js';
import { counted, withExamples, type Progress, type Report, type Run, type Terminal } from './command.cli.js';
import { projections } from './rebuild.cli.js';
import type { Workspace } from './workspace.pg.js';

interface VerifyOptions {
  payment?: string;
  checkpoint?: string;
  publicKey?: string[];
  projections?: boolean;
  json?: boolean;
}

export function verifyCommand(cli: Command, run: Run): void {
  const verify = cli
    .command('verify')
    .description(
      'looks whether everything that was recorded is as it was written: hashes, chains, evidence, and what checkpoints have sealed; it changes nothing',
    )
    .option('--payment <id>', 'one payment: its events, its fulfilment, its evidence')
    .option('--checkpoint <path>', 'exported checkpoints, a file or a directory; without it those in CHECKPOINT_DIR')
    .option(
      '--public-key <base64>',
      'who signed them; may be given again; without it the keys of CHECKPOINT_KEY',
      (key: string, keys: string[] | undefined) => [...(keys ?? []), key],
    )
    .option('--projections', 'compares the read models with the events too, which takes longer')
    .option('--json', 'one JSON value')
    .action((options: VerifyOptions) =>
      run(options, (workspace, terminal) => verifyStore(workspace, terminal, options)),
    );
  withExamples(
    verify,
    'verify',
    'verify --payment 0198c0de-…',
    'verify --checkpoint /backup/checkpoints --public-key 6ugG…=',
    'verify --projections --json',
  );
}

async function verifyStore(workspace: Workspace, terminal: Terminal, options: VerifyOptions): Promise<Report> {
  if (options.payment !== undefined && (options.checkpoint ?? options.publicKey) !== undefined)
    throw new Refusal('malformed_request', 'One payment is not compared with checkpoints: leave --payment out.');
  const pool = createPool(workspace.databaseUrl, { ...auditLimits, applicationName: operatorName() });
  const progress = progressOn(terminal);
  try {
    const audit =
      options.payment === undefined
        ? await auditStore(pool, {
            files: await filesOf(workspace, options.checkpoint),
            publicKeys: publicKeysOf(workspace, options.publicKey),
            signal: terminal.signal,
            onProgress: progress.tell,
          })
        : await auditSome(pool, streamsOf(options.payment));
    if (options.payment !== undefined && audit.events + audit.messages === 0)
      throw new Refusal(
        'not_found',
        'There is no payment with this id, nor any evidence of one. Where there was one: finality verify.',
      );
    progress.end();
    if (options.projections) await compareProjections(workspace, terminal, audit);
    const streamIds = audit.breaks.kept.flatMap(({ streamId }) => streamId ?? []);
    return reportOf(audit, await namesOfStreams(pool, streamIds), projectionsOf(options));
  } finally {
    await pool.end();
  }
}

const projectionsOf = ({ projections: asked }: VerifyOptions): string[] =>
  asked ? projections.map(({ name }) => name) : [];

async function filesOf({ config }: Workspace, path: string | undefined): Promise<CheckpointFiles> {
  if (path === undefined) return CheckpointFiles.in(config.checkpointDir);
  return CheckpointFiles.at(path).catch((error: unknown) => {
    const there = error instanceof Error && !('code' in error);
    throw new Refusal(
      'malformed_request',
      there ? error.message : `There is no file or directory ${path.slice(0, 200)}.`,
    );
  });
}

function publicKeysOf({ config }: Workspace, given: string[] | undefined): readonly string[] {
  if (given?.some((key) => !isKey(key)))
    throw new Refusal(
      'malformed_request',
      'A public key is 32 bytes in base64, as the statement of a checkpoint has it.',
    );
  return given ?? proofKeys(config.checkpointKeys).publicKeys;
}

/** A payment's own stream, and that of its fulfilment. */
function streamsOf(id: string): string[] {
  // Not asked of the store by folding: what cannot be folded any more is what is looked for.
  if (!/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(id))
    throw new Refusal('not_found', `"${id.slice(0, 64)}" is not a payment id (a UUID of version 7).`);
  return [id, fulfillmentStreamOf(id)];
}

function progressOn(terminal: Terminal) {
  let current: { part: string; progress: Progress } | null = null;
  return {
    tell: (part: string, done: number, total: number | null): void => {
      if (current?.part !== part) {
        current?.progress.end();
        current = { part, progress: terminal.progress('verify', part) };
      }
      current.progress.update(done, total);
    },
    end: (): void => current?.progress.end(),
  };
}

async function compareProjections(workspace: Workspace, terminal: Terminal, { breaks }: StoreAudit): Promise<void> {
  for (const projection of projections) {
    const progress = terminal.progress(projection.name, 'events');
    const { tables } = await rebuild(workspace.databaseUrl, projection, {
      dryRun: true,
      onProgress: ({ done, total }) => progress.update(done, total),
    });
    progress.end();
    for (const { table, same } of tables)
      if (!same) breaks.add({ reason: 'projection_differs', projection: `${projection.name} (table ${table})` });
  }
}

function reportOf(audit: StoreAudit, names: ReadonlyMap<string, StreamName>, compared: readonly string[]): Report {
  const { events, streams, messages, seals, breaks } = audit;
  const found = breaks.kept.map((each) => {
    const [sentence, advice] = breakReasons[each.reason];
    const { paymentId, orderId } = (each.streamId && names.get(each.streamId)) || {};
    return { ...each, ...(paymentId && { paymentId }), ...(orderId && { orderId }), sentence, advice };
  });
  const ok = breaks.count === 0;
  const sealed = seals?.checkpoints
    ? `, ${counted(seals.checkpoints)} checkpoints and ${counted(seals.files)} files of them up to position ${counted(seals.sealedUpTo)}`
    : '';
  const lines = [
    `${counted(events)} events in ${counted(streams)} streams, ${counted(messages)} messages${sealed}`,
    ...(seals
      ? remarksOn(seals)
      : ['it was not compared with checkpoints: what was cut off or written anew is not seen']),
    ...compared.map((name) => `read model ${name} was compared with the events`),
    ...found.map((each) => `BROKEN  ${placeOf(each)}: ${each.sentence}`),
    ...(breaks.count > found.length ? [`… and ${counted(breaks.count - found.length)} more`] : []),
    ...[...new Set(found.map(({ advice }) => advice))].map((advice) => `→ ${advice}`),
    ok ? 'All is as it was written.' : `${counted(breaks.count)} broken.`,
  ];
  const json = { ok, events, streams, messages, ...(seals && { seals }), broken: breaks.count, breaks: found };
  return { ok, json, text: lines.join('\n') };
}

function remarksOn({
  checkpoints,
  files,
  unexported,
  createdAt,
  publicKeys,
  vouched,
}: NonNullable<StoreAudit['seals']>): string[] {
  if (checkpoints === 0 && files === 0)
    return ['nothing is sealed yet: a stream that was cut off or written anew, chain and all, would not be seen'];
  return [
    `newest checkpoint of ${createdAt ?? 'an unknown time'}, signed by ${publicKeys.join(', ')}${vouched ? '' : ', which nobody vouched for: give --public-key'}`,
    ...(files === 0
      ? ['no exported files were looked at: whoever can write to the database could have written its checkpoints']
      : []),
    ...(files > 0 && unexported > 0
      ? [`up to checkpoint ${counted(unexported)} some are not exported to this place yet`]
      : []),
  ];
}

/** Where it is, by every name that is known, one word before each. */
function placeOf(found: Break & StreamName): string {
  const { paymentId, orderId, streamId, version, until, position, messageId, checkpoint, file, projection } = found;
  const numbered = (one: string, from: number): string =>
    until === undefined || until === from ? `${one} ${String(from)}` : `${one}s ${String(from)} to ${String(until)}`;
  const parts = [
    projection && `read model ${projection}`,
    checkpoint !== undefined && numbered('checkpoint', checkpoint),
    file && `file ${file}`,
    paymentId && `payment ${paymentId}${orderId === undefined ? '' : ` (order ${orderId})`}`,
    streamId && streamId !== paymentId && `stream ${streamId}`,
    messageId && `message ${messageId}`,
    version !== undefined && numbered('version', version),
    typeof position === 'number' && `position ${String(position)}`,
  ];
  return parts.filter(Boolean).join(', ');
}
