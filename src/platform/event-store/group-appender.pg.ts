import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { Conflict, KeyTaken, StoreUnavailable, noStream, type Appended } from './append.js';
import { explain, outcomes } from './append-outcome.pg.js';
import { AppendQueue, type Exclusive } from './append-queue.js';
import { writeTogether, type Member, type Written } from './append-statement.pg.js';
import { faultOf } from './store-errors.pg.js';

interface Waiting extends Exclusive {
  member: Member;
  resolve: (outcome: Appended) => void;
  reject: (error: unknown) => void;
}

export interface GroupAppenderOptions {
  /** Statements in flight at once. Two: one waits for the disk while the other is computed. */
  statements: number;
  /** So many have to wait before a further statement is begun beside one: small ones cost more than they hasten. */
  worthAnother: number;
  /** Members of one statement at most. */
  batchSize: number;
  /** Members that may wait; more are refused with `StoreUnavailable`. */
  capacity: number;
}

/** Waits before the second, third … try of a statement whose outcome is unknown. */
const retryDelaysMs = [25, 250];
const maxLostRaces = 4;
/** A statement takes a few milliseconds; one that takes longer waits for somebody's lock, or for the network. */
const heldUpMs = 20;

/**
 * Group commit: appends that arrive while statements are in flight share the next one. There is no timer; a lone
 * append is sent at once. A promise is resolved only by rows that the database returned after its commit.
 */
export class GroupAppender {
  private readonly queue: AppendQueue<Waiting>;
  private readonly busy = new Set<string>();
  private inFlight = 0;
  /** When the last statement was begun. */
  private begunAt = 0;
  private idle: (() => void)[] = [];
  /** Statements so far of which nobody knew whether they were carried out. */
  unknownOutcomes = 0;

  constructor(
    private readonly pool: Pool,
    private readonly options: GroupAppenderOptions,
  ) {
    this.queue = new AppendQueue(options.capacity, options.batchSize);
  }

  /** Appends that wait for a statement. */
  get queued(): number {
    return this.queue.length;
  }

  append(member: Member): Promise<Appended> {
    return new Promise((resolve, reject) => {
      const alone = member.keys.some((claim) => claim.replaces !== undefined);
      if (!this.queue.offer({ member, resolve, reject, claims: claimsOf(member), alone })) {
        reject(new StoreUnavailable('too many appends are waiting'));
      } else queueMicrotask(() => this.pump());
    });
  }

  /** Resolves when nothing waits and nothing is in flight. */
  async drained(): Promise<void> {
    if (this.inFlight === 0 && this.queue.length === 0) return;
    await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  private pump(): void {
    while (this.mayBegin()) {
      const batch = this.queue.take(this.busy);
      if (batch.length === 0) break;
      this.inFlight++;
      this.begunAt = performance.now();
      for (const waiting of batch) for (const claim of waiting.claims) this.busy.add(claim);
      void this.settle(batch).finally(() => {
        for (const waiting of batch) for (const claim of waiting.claims) this.busy.delete(claim);
        this.inFlight--;
        this.pump();
      });
    }
    if (this.inFlight > 0 || this.queue.length > 0) return;
    for (const wake of this.idle.splice(0)) wake();
  }

  /** A further statement beside one is for many who wait, or for where that one is held up. */
  private mayBegin(): boolean {
    if (this.inFlight === 0) return true;
    if (this.inFlight >= this.options.statements) return false;
    return this.queue.length >= this.options.worthAnother || performance.now() - this.begunAt > heldUpMs;
  }

  /** Settles every promise of the batch; never throws. */
  private async settle(batch: readonly Waiting[]): Promise<void> {
    try {
      const members = batch.map((waiting) => waiting.member);
      const found = outcomes(members, await this.write(members));
      await Promise.all(batch.map((waiting, at) => this.answer(waiting, found[at] ?? null)));
    } catch (error) {
      await this.settleFault(batch, error);
    }
  }

  /** Sends the statement, again on another connection while its outcome is unknown: its ids make that harmless. */
  private async write(members: readonly Member[]): Promise<Written[]> {
    for (const pause of retryDelaysMs) {
      try {
        return await this.send(members);
      } catch (error) {
        if (faultOf(error) !== 'unknown') throw error;
        await delay(pause);
      }
    }
    return this.send(members);
  }

  private async send(members: readonly Member[]): Promise<Written[]> {
    try {
      return await writeTogether(this.pool, members);
    } catch (error) {
      if (faultOf(error) === 'unknown') this.unknownOutcomes++;
      throw error;
    }
  }

  private async answer(waiting: Waiting, outcome: Appended | null): Promise<void> {
    if (outcome) waiting.resolve(outcome);
    else
      await explain(this.pool, waiting.member).then(waiting.resolve, (error: unknown) =>
        waiting.reject(unavailable(error)),
      );
  }

  private async settleFault(batch: readonly Waiting[], error: unknown): Promise<void> {
    const [first] = batch;
    if (faultOf(error) === 'unknown') for (const waiting of batch) waiting.reject(unavailable(error));
    else if (batch.length > 1) for (const waiting of batch) await this.settle([waiting]);
    else if (first && faultOf(error) === 'refused') first.reject(error);
    else if (first) await this.raceAlone(first);
  }

  /**
   * One member that lost a true race. The winner has committed by now, so the statement sees it and drops out without
   * an error; a few tries, because a deadlock or an unlucky third writer can fail it again.
   */
  private async raceAlone(waiting: Waiting): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        const [outcome] = outcomes([waiting.member], await this.write([waiting.member]));
        return await this.answer(waiting, outcome ?? null);
      } catch (error) {
        if (faultOf(error) !== 'lost_race') return waiting.reject(unavailable(error));
        if (attempt === maxLostRaces) return waiting.reject(new Conflict(waiting.member.streamId));
      }
    }
  }
}

function claimsOf({ streamId, message, keys }: Member): string[] {
  const claims = keys.map((claim) => JSON.stringify([claim.scope, claim.key]));
  if (streamId !== noStream) claims.push(streamId);
  else if (message) claims.push(message.digest.toString('hex'));
  return claims;
}

/** What a caller gets for an error: its own fault as it is, everything else as `StoreUnavailable`. */
export function unavailable(error: unknown): unknown {
  if (error instanceof Conflict || error instanceof KeyTaken || error instanceof StoreUnavailable) return error;
  if (faultOf(error) === 'refused') return error;
  return new StoreUnavailable('the event store is out of reach or the outcome is not known', { cause: error });
}
