import type { Pool } from 'pg';
import type { Breaks, BreakReason } from './breaks.js';
import { readFileText, type CheckpointFile } from './checkpoint-file.js';
import type { CheckpointFiles } from './checkpoint-files.job.js';
import {
  firstMessage,
  hashOf,
  headsOf,
  isSame,
  isTrueOf,
  rootOver,
  type Content,
  type SealedEvent,
  type SignedStatement,
  type Statement,
} from './checkpoint.js';
import { checkpointsAfter, eventsBetween, signedOf, spanLimit, type CheckpointRow } from './checkpoints.pg.js';
import { MessageStream } from './sealed-messages.pg.js';
import { isSignedBy } from './signing.js';
import { tellDifference } from './span-difference.pg.js';

export interface SealAuditOptions {
  /** Whose signatures are trusted, in base64. None: whoever signed the first checkpoint. */
  publicKeys: readonly string[];
  files: CheckpointFiles;
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal | undefined;
  pause?: () => Promise<void>;
}

export interface SealAudit {
  checkpoints: number;
  files: number;
  /** The newest that is not exported yet, or not to where was looked; 0 where all are. */
  unexported: number;
  /** The log up to here was compared with what was sealed. */
  sealedUpTo: number;
  createdAt: string | null;
  publicKeys: readonly string[];
  /** Whether somebody said that these are the keys to trust. */
  vouched: boolean;
}

const rowPage = 200;

/**
 * Compares the store with every checkpoint of it: those in the database, and those in files, which nobody who can only
 * write to the database can change. A file's lists name what differs; without them only the span is known.
 */
export async function auditSeals(pool: Pool, breaks: Breaks, options: SealAuditOptions): Promise<SealAudit> {
  const { files } = options;
  const rows = await readRows(pool);
  const newestRow = rows.at(-1)?.number ?? 0;
  const byNumber = new Map(rows.map((row) => [row.number, row]));
  // Not every number up to the last: one of a row or of a file may have been made enormous.
  const numbers = [...new Set([...byNumber.keys(), ...files.numbers])].sort((a, b) => a - b);
  const outcome = await MessageStream.with(pool, async (messages) => {
    const walk = new SealWalk(new Spans(pool, messages), breaks, options);
    for (const [at, number] of numbers.entries()) {
      options.signal?.throwIfAborted();
      await options.pause?.();
      options.onProgress?.(at + 1, numbers.length);
      const before = numbers[at - 1] ?? 0;
      if (number > before + 1)
        breaks.add({
          reason: 'checkpoint_missing',
          checkpoint: before + 1,
          ...(number > before + 2 && { until: number - 1 }),
        });
      const row = byNumber.get(number) ?? null;
      const text = files.has(number) ? await files.read(number) : null;
      if (text === null && files.whole && number < files.newest)
        breaks.add({ reason: 'file_missing', checkpoint: number, file: files.pathOf(number) });
      if (row === null && text !== null)
        breaks.add({ reason: number > newestRow ? 'store_is_older' : 'checkpoint_missing', checkpoint: number });
      const next = byNumber.get(numbers[at + 1] ?? 0) ?? null;
      await walk.look(number, { row, text, next });
    }
    return walk.outcome();
  });
  return {
    checkpoints: rows.length,
    files: files.count,
    vouched: options.publicKeys.length > 0,
    unexported: files.whole && newestRow > files.newest ? newestRow : 0,
    ...outcome,
  };
}

/** What is in the spans now, read one span ahead. */
class Spans {
  private ahead: { after: number; upTo: number; events: Promise<SealedEvent[]> } | null = null;

  constructor(
    readonly pool: Pool,
    private readonly messages: MessageStream,
  ) {}

  async contentOf({ events, messages }: Statement, next: Statement | null): Promise<Content> {
    const { ahead } = this;
    const known = ahead?.after === events.after && ahead.upTo === events.upTo;
    const reading = known ? ahead.events : this.read(events.after, events.upTo);
    this.ahead = next && { ...next.events, events: this.read(next.events.after, next.events.upTo) };
    // Whoever stops early never awaits it.
    this.ahead?.events.catch(() => undefined);
    return {
      heads: headsOf(await reading),
      messages: await this.messages.span(messages.after, messages.upTo, spanLimit),
    };
  }

  private read(after: number, upTo: number): Promise<SealedEvent[]> {
    return eventsBetween(this.pool, after, upTo, spanLimit);
  }
}

interface Sight {
  row: CheckpointRow | null;
  /** The text of the file. */
  text: string | null;
  /** The row after it, which tells what will be asked next. */
  next: CheckpointRow | null;
}

async function readRows(pool: Pool): Promise<CheckpointRow[]> {
  const rows: CheckpointRow[] = [];
  for (;;) {
    const page = await checkpointsAfter(pool, rows.at(-1)?.number ?? -2_147_483_648, rowPage);
    rows.push(...page);
    if (page.length < rowPage) return rows;
  }
}

class SealWalk {
  private before: { number: number; signed: SignedStatement } | null = null;
  private keys: readonly string[];

  constructor(
    private readonly spans: Spans,
    private readonly breaks: Breaks,
    private readonly options: SealAuditOptions,
  ) {
    this.keys = options.publicKeys;
  }

  outcome(): Pick<SealAudit, 'sealedUpTo' | 'createdAt' | 'publicKeys'> {
    const last = this.before?.signed.statement;
    return { sealedUpTo: last?.events.upTo ?? 0, createdAt: last?.createdAt ?? null, publicKeys: this.keys };
  }

  async look(number: number, { row, text, next }: Sight): Promise<void> {
    const ofRow = row && this.goodRow(number, row);
    const file = text === null ? null : this.goodFile(number, text);
    const listed = file !== null && isTrueOf(file.signed.statement, file);
    if (file && !listed) this.tell('file_lists_changed', number, true);
    if (ofRow && file && ofRow.text !== file.signed.text) this.tell('file_differs', number, true);
    const signed = file?.signed ?? ofRow;
    if (!signed) return;
    if (!this.follows(number, signed)) this.tell('checkpoint_unchained', number);
    this.before = { number, signed };
    const now = await this.spans.contentOf(signed.statement, next && (signedOf(next)?.statement ?? null));
    // What is the same as a true list needs no tree of its own.
    if (!(listed && isSame(file, now)) && !isTrueOf(signed.statement, now))
      await this.tellWhatDiffers(signed.statement, file, now);
  }

  private goodRow(number: number, row: CheckpointRow): SignedStatement | null {
    const signed = signedOf(row);
    const fault = signed ? this.faultOf(signed) : 'unreadable';
    if (!signed || fault) {
      this.tell(`checkpoint_${fault ?? 'unreadable'}`, number);
      return null;
    }
    const { statement } = signed;
    if (statement.number !== number || statement.events.upTo !== row.up_to) this.tell('checkpoint_row_changed', number);
    return statement.number === number ? signed : null;
  }

  private goodFile(number: number, text: string): CheckpointFile | null {
    const file = readFileText(text);
    const fault = file?.signed.statement.number === number ? this.faultOf(file.signed) : 'unreadable';
    if (!file || fault) {
      this.tell(`file_${fault ?? 'unreadable'}`, number, true);
      return null;
    }
    return file;
  }

  private faultOf({ text, statement, signature }: SignedStatement): 'forged' | 'of_other_key' | null {
    if (!isSignedBy(statement.publicKey, text, signature)) return 'forged';
    // Nobody said whom to trust: then all have to be of one hand.
    if (this.keys.length === 0) this.keys = [statement.publicKey];
    return this.keys.includes(statement.publicKey) ? null : 'of_other_key';
  }

  private follows(number: number, { statement }: SignedStatement): boolean {
    if (this.before !== null && this.before.number === number - 1) {
      const { text, statement: last } = this.before.signed;
      return (
        statement.previous === hashOf(text) &&
        statement.events.after === last.events.upTo &&
        statement.messages.after === last.messages.upTo
      );
    }
    if (number > 1) return statement.previous !== null;
    return statement.previous === null && statement.events.after === 0 && statement.messages.after === firstMessage;
  }

  private async tellWhatDiffers(statement: Statement, file: CheckpointFile | null, now: Content): Promise<void> {
    const told = this.breaks.count;
    const sealed: Content | null = file && {
      // A list that was changed itself accuses nobody.
      heads: rootOver(file.heads) === statement.heads.root ? file.heads : now.heads,
      messages: rootOver(file.messages) === statement.messages.root ? file.messages : now.messages,
    };
    const known = sealed !== null && (await tellDifference(this.spans.pool, this.breaks, statement, sealed));
    if (!known && this.breaks.count === told) this.tell('span_differs', statement.number);
  }

  private tell(reason: BreakReason, checkpoint: number, file = false): void {
    this.breaks.add({ reason, checkpoint, ...(file && { file: this.options.files.pathOf(checkpoint) }) });
  }
}
