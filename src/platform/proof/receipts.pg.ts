import { Logger } from '@nestjs/common';
import type { Pool } from 'pg';
import type { Clock } from '../../kernel/clock.js';
import type { RecordedEvent } from '../../kernel/event.js';
import { Refusal } from '../../kernel/refusal.js';
import { exactTypes } from '../event-store/chain-audit.pg.js';
import { chainedEventOf, eventColumns, eventOf, type EventRow } from '../event-store/event-row.pg.js';
import { firstBreak } from '../event-store/hash-chain.js';
import { headsOf, leavesOf, type Statement } from './checkpoint.js';
import { checkpointCovering, eventsBetween, newestCheckpoint, spanLimit } from './checkpoints.pg.js';
import { inclusionPath, merkleRoot } from './merkle.js';
import {
  receiptEvent,
  receiptFormat,
  signedText,
  type Receipt,
  type ReceiptSummary,
  type SealedHead,
} from './receipt.js';
import { isSignedBy, type ProofKeys } from './signing.js';

const stream = {
  name: 'receipt-stream',
  text: `select ${eventColumns}, hash from event where stream_id = $1 order by version`,
  types: exactTypes,
};

/** Makes receipts. What does not hold is never signed. */
export class Receipts {
  private readonly log = new Logger(Receipts.name);

  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly keys: ProofKeys,
  ) {}

  /**
   * The receipt of a stream; `summarize` tells what its events come to. Throws `Refusal('proof_unavailable')` where no
   * key is configured, or where the stream is not as it was written.
   */
  async of(streamId: string, summarize: (events: RecordedEvent[]) => ReceiptSummary): Promise<Receipt> {
    const { signer } = this.keys;
    if (signer === null)
      throw new Refusal('proof_unavailable', 'This installation signs no receipts: it has no CHECKPOINT_KEY.');
    // Before the events: what is sealed while they are read may be a head that is not among them.
    const sealedUpTo = (await newestCheckpoint(this.pool))?.statement.events.upTo ?? 0;
    const { rows } = await this.pool.query<EventRow>({ ...stream, values: [streamId] });
    const events = rows.map(chainedEventOf);
    const last = events.at(-1);
    if (!last || firstBreak(events)) throw this.broken(streamId);
    const unsigned = {
      format: receiptFormat,
      issuedAt: this.clock.now(),
      payment: summarize(rows.map(eventOf)),
      events: events.map(receiptEvent),
      head: { version: last.version, hash: last.hash.toString('hex') },
      checkpoint: await this.sealedHead(streamId, rows, sealedUpTo),
      publicKey: signer.publicKey,
    } as const;
    return { ...unsigned, signature: signer.sign(signedText(unsigned)).toString('base64') };
  }

  /** The newest head of a stream up to a position that is sealed; null where there is none. */
  private async sealedHead(streamId: string, rows: readonly EventRow[], upTo: number): Promise<SealedHead | null> {
    const sealed = rows.findLast(({ position }) => position <= upTo);
    const signed = sealed && (await checkpointCovering(this.pool, sealed.position));
    if (!sealed || !signed) return null;
    const { text, statement, signature } = signed;
    const trusted = this.keys.publicKeys.includes(statement.publicKey);
    if (!trusted || !isSignedBy(statement.publicKey, text, signature)) throw this.broken(streamId);
    const heads = await this.heads(statement);
    const leaves = leavesOf(heads);
    const index = heads.findIndex(([id]) => id === streamId);
    const head = heads[index];
    if (head?.[2] !== sealed.hash.toString('hex') || merkleRoot(leaves).toString('hex') !== statement.heads.root)
      throw this.broken(streamId);
    const path = inclusionPath(leaves, index).map((node) => node.toString('hex'));
    return { statement: text, signature: signature.toString('base64'), head, index, path };
  }

  private async heads({ events }: Statement): Promise<ReturnType<typeof headsOf>> {
    return headsOf(await eventsBetween(this.pool, events.after, events.upTo, spanLimit));
  }

  private broken(streamId: string): Refusal {
    this.log.error({ msg: 'a receipt was refused: the store is not as it was written; run finality verify', streamId });
    return new Refusal(
      'proof_unavailable',
      'The events of this payment are not as they were recorded, so nothing is signed about them. The operator has to look: finality verify.',
    );
  }
}
