import type { Pool } from 'pg';
import { exactTypes } from '../event-store/chain-audit.pg.js';
import { messageHash } from '../event-store/message-hash.js';
import type { Breaks } from './breaks.js';
import { messageColumns, type MessageRow } from './sealed-messages.pg.js';

const page = {
  name: 'audit-messages',
  text: `select ${messageColumns} from inbox where (stream_id, digest) > ($1::uuid, $2::bytea)
    order by stream_id, digest limit $3`,
  types: exactTypes,
};
const ofStreams = {
  name: 'audit-messages-of',
  text: `select ${messageColumns} from inbox where stream_id = any($1::uuid[]) order by stream_id, digest`,
  types: exactTypes,
};

const pageSize = 500;
const mostUnhashed = 1000;

interface AuditOptions {
  onProgress?: (messages: number) => void;
  signal?: AbortSignal | undefined;
  pause?: () => Promise<void>;
}

/** Recomputes the hash of every message from what is stored of it. Returns how many there are. */
export async function auditMessages(pool: Pool, breaks: Breaks, options: AuditOptions = {}): Promise<number> {
  const look = new Look(breaks);
  const read = async (streamId: string, digest: Buffer): Promise<MessageRow[]> =>
    (await pool.query<MessageRow>({ ...page, values: [streamId, digest, pageSize] })).rows;
  let next = read('00000000-0000-0000-0000-000000000000', Buffer.alloc(0));
  for (;;) {
    const rows = await next;
    const last = rows.at(-1);
    const more = last !== undefined && rows.length === pageSize;
    if (more) {
      next = read(last.streamId, last.digest);
      next.catch(() => undefined);
    }
    rows.forEach((row) => look.at(row));
    options.onProgress?.(look.count);
    if (!more) return look.end();
    options.signal?.throwIfAborted();
    await options.pause?.();
  }
}

/** The same for the messages of some streams. */
export async function auditMessagesOf(pool: Pool, streamIds: readonly string[], breaks: Breaks): Promise<number> {
  const look = new Look(breaks);
  (await pool.query<MessageRow>({ ...ofStreams, values: [streamIds] })).rows.forEach((row) => look.at(row));
  return look.end();
}

class Look {
  count = 0;
  private firstHashed: string | null = null;
  /** The newest of those without a hash. */
  private unhashed: { messageId: string; streamId: string }[] = [];

  constructor(private readonly breaks: Breaks) {}

  at(row: MessageRow): void {
    this.count++;
    const { id: messageId, streamId, hash } = row;
    if (hash === null) {
      this.unhashed.push({ messageId, streamId });
      if (this.unhashed.length > mostUnhashed) this.unhashed.sort(newestFirst).length = mostUnhashed / 2;
      return;
    }
    if (this.firstHashed === null || messageId < this.firstHashed) this.firstHashed = messageId;
    if (!fits(row, hash)) this.breaks.add({ reason: 'message_changed', messageId, streamId });
  }

  /** Messages were not hashed at first; since they are, each of them is. */
  end(): number {
    const { firstHashed } = this;
    for (const names of this.unhashed)
      if (firstHashed !== null && names.messageId > firstHashed)
        this.breaks.add({ reason: 'message_unhashed', ...names });
    return this.count;
  }
}

const newestFirst = (a: { messageId: string }, b: { messageId: string }): number =>
  a.messageId < b.messageId ? 1 : -1;

function fits(row: MessageRow, hash: Buffer): boolean {
  try {
    return messageHash(row).equals(hash);
  } catch {
    // A column holds nothing although it must.
    return false;
  }
}
