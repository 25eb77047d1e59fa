import { createHash } from 'node:crypto';
import { v7 } from 'uuid';
import type { EventMetadata, NewEvent } from '../../../src/kernel/event.js';
import type { JsonObject } from '../../../src/kernel/json.js';
import type { InboxMessage, StreamHead } from '../../../src/platform/event-store/event-store.pg.js';

export const noEvents: StreamHead = { version: 0, hash: null };
export const newId = (): string => v7();

export const anEvent = (data: JsonObject = { amount: '10.00' }): NewEvent => ({
  id: v7(),
  type: 'PaymentSeen',
  schemaVersion: 1,
  data,
});

export const someMetadata = (): EventMetadata => ({
  tenant: v7(),
  actor: 'gateway',
  correlationId: v7(),
  causationId: v7(),
  recordedAt: '2026-02-03T04:05:06.070Z',
});

export const aMessage = (content: string, changes: Partial<InboxMessage> = {}): InboxMessage => ({
  id: v7(),
  digest: createHash('sha256').update(content).digest(),
  source: 'callback',
  subject: 'track-1',
  status: 'applied',
  reason: null,
  body: Buffer.from(content),
  receivedAt: '2026-02-03T04:05:06.070Z',
  ...changes,
});

/** Waits for a condition, for ten seconds at most. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  for (const deadline = performance.now() + 10_000; !(await condition());) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
