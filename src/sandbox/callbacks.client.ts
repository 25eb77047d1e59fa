import http from 'node:http';
import https from 'node:https';
import { type Clock, msOf } from '../kernel/clock.js';
import { sign } from '../gateway/signature.js';
import { acknowledges, answerTimeoutMs, enqueue, type Message, nextDue, recordTry, retryGapsMs } from './delivery.js';
import type { Faults } from './faults.js';
import type { Attempt, Delivery } from './ledger.js';

const keptAnswerBytes = 1024;

/** A payment or payout, as far as its callbacks go. */
export interface Subject {
  trackId: string;
  keyId: string;
  deliveries: Delivery[];
}

interface CallbackWorld {
  clock: Clock;
  faults: Faults;
  /** The secret to sign with. */
  keyFor: (signer: 'merchant' | 'payout', keyId: string) => string;
  /** Told after every change to a subject's deliveries. */
  changed: (subject: Subject) => void;
}

/** Sends callbacks as the gateway does: signed, repeated on its schedule, one at a time per payment. */
export class Callbacks {
  private readonly pending = new Set<Subject>();
  private readonly running = new Map<Subject, Promise<void>>();
  private readonly agents = {
    'http:': new http.Agent({ keepAlive: true, maxSockets: 32 }),
    'https:': new https.Agent({ keepAlive: true, maxSockets: 32 }),
  };
  private closed = false;

  constructor(private readonly world: CallbackWorld) {}

  /** Queues a callback; it goes out at the next `run` (the caller's turn ends first). */
  queue(subject: Subject, message: Message): void {
    const now = msOf(this.world.clock.now());
    enqueue(subject, message, this.world.faults.nextCallback(retryGapsMs.length), now);
    this.adopt(subject);
    this.world.changed(subject);
  }

  /** Takes up a subject that has unfinished deliveries, after a restart. */
  adopt(subject: Subject): void {
    if (subject.deliveries.some((delivery) => delivery.dueMs !== null)) this.pending.add(subject);
  }

  forget(): void {
    this.pending.clear();
  }

  /** Makes every try that is due; resolves when they have been answered or have timed out. */
  async run(): Promise<void> {
    if (this.closed) return;
    await Promise.all([...this.pending].map((subject) => this.runFor(subject)));
  }

  /** The same for one subject. */
  runFor(subject: Subject): Promise<void> {
    const running = this.running.get(subject);
    if (running) return running;
    if (!nextDue(subject.deliveries, msOf(this.world.clock.now()))) return Promise.resolve();
    return this.drain(subject);
  }

  /** When the next try is due, later than `nowMs`; null where none is. */
  nextDueMs(nowMs: number): number | null {
    let next: number | null = null;
    for (const { deliveries } of this.pending)
      for (const { dueMs } of deliveries)
        if (dueMs !== null && dueMs > nowMs && (next === null || dueMs < next)) next = dueMs;
    return next;
  }

  close(): void {
    this.closed = true;
    this.agents['http:'].destroy();
    this.agents['https:'].destroy();
  }

  private drain(subject: Subject): Promise<void> {
    const work = async (): Promise<void> => {
      for (;;) {
        const due = this.closed ? undefined : nextDue(subject.deliveries, msOf(this.world.clock.now()));
        if (!due) break;
        await this.try(subject, due);
      }
      // Removed in the same turn as the last look at the queue: what is queued later starts a new run.
      this.running.delete(subject);
      if (subject.deliveries.every((delivery) => delivery.dueMs === null)) this.pending.delete(subject);
    };
    const run = work();
    this.running.set(subject, run);
    return run;
  }

  private async try(subject: Subject, delivery: Delivery): Promise<void> {
    const attempts: Attempt[] = [];
    const first = delivery.tries === 0;
    if (delivery.fault.drops[delivery.tries]) attempts.push(this.attempt(null, 'not sent: dropped by a fault'));
    else {
      const copies = delivery.fault.duplicate ? 2 : 1;
      for (let copy = 0; copy < copies; copy++) attempts.push(await this.post(subject, delivery));
    }
    if (this.closed) return;
    recordTry(delivery, attempts);
    if (first) this.releaseHeldBack(subject, delivery);
    this.world.changed(subject);
  }

  /** A callback held back by a fault follows the first one that overtook it. */
  private releaseHeldBack(subject: Subject, sent: Delivery): void {
    const now = msOf(this.world.clock.now());
    for (const delivery of subject.deliveries) {
      const waits = delivery.tries === 0 && delivery.dueMs !== null && delivery.dueMs > now;
      if (waits && delivery !== sent && delivery.queuedMs <= sent.queuedMs) delivery.dueMs = now;
    }
  }

  private attempt(httpStatus: number | null, answer: string): Attempt {
    const acknowledged = httpStatus !== null && acknowledges(httpStatus, answer);
    return { atMs: msOf(this.world.clock.now()), httpStatus, answer, acknowledged };
  }

  private async post(subject: Subject, delivery: Delivery): Promise<Attempt> {
    const body = Buffer.from(delivery.body, 'utf8');
    const key = this.world.keyFor(delivery.signer, subject.keyId);
    const atMs = msOf(this.world.clock.now());
    try {
      const answer = await this.send(new URL(delivery.url), body, sign(body, key));
      return { ...this.attempt(answer.status, answer.text), atMs };
    } catch (error) {
      return { ...this.attempt(null, error instanceof Error ? error.message : 'no answer'), atMs };
    }
  }

  private send(url: URL, body: Buffer, signature: string): Promise<{ status: number; text: string }> {
    const secure = url.protocol === 'https:';
    const headers = { 'Content-Type': 'application/json', 'Content-Length': body.length, HMAC: signature };
    const signal = AbortSignal.timeout(answerTimeoutMs);
    const agent = this.agents[secure ? 'https:' : 'http:'];
    return new Promise((resolve, reject) => {
      const request = (secure ? https : http).request(url, { method: 'POST', headers, agent, signal });
      request.on('error', () => reject(new Error(signal.aborted ? 'no answer in time' : 'the connection failed')));
      request.on('response', (response) => {
        readStart(response).then((text) => resolve({ status: response.statusCode ?? 0, text }), reject);
      });
      request.end(body);
    });
  }
}

/** The start of an answer, cut at 1 KiB; the rest of a longer one is not read. */
async function readStart(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    const bytes = Buffer.from(chunk);
    chunks.push(bytes);
    size += bytes.length;
    if (size > keptAnswerBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, keptAnswerBytes).toString('utf8');
}
