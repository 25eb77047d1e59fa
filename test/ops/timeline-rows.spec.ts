import { describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '../../src/kernel/event.js';
import { timelineRows } from '../../src/ops/timeline-rows.js';

const at = (second: number): string => `2026-01-31T12:00:${String(second).padStart(2, '0')}.000Z`;

/** The n-th event of a payment that was refused by nobody and heard of nothing: its rows are about causes alone. */
const event = (version: number, causationId: string, second = version): RecordedEvent => ({
  id: `event-${String(version)}`,
  type: 'InvoiceRetried',
  schemaVersion: 1,
  data: { attempt: version, at: at(second) },
  tenant: 'shop',
  actor: 'service',
  correlationId: 'c',
  causationId,
  recordedAt: at(second),
  streamId: 'payment',
  version,
  position: version,
});

const rowsOf = (events: RecordedEvent[], messages: { id: string; receivedAt: string }[] = []) =>
  timelineRows({ paymentId: 'payment', events, fulfillment: [], messages, deliveries: [] }).map(
    ({ heard, decided }) => [
      heard.map(({ message, since }) => `${message.id} since ${String(since)}`),
      decided.map(({ event: { version } }) => version),
    ],
  );

describe("The rows of a payment's timeline", () => {
  it('have each decision beside the message that caused it', () => {
    const messages = [
      { id: 'm-1', receivedAt: at(2) },
      { id: 'm-2', receivedAt: at(4) },
    ];
    expect(rowsOf([event(1, 'request'), event(2, 'm-1'), event(3, 'm-1'), event(4, 'm-2')], messages)).toEqual([
      [[], [1]],
      [['m-1 since 2'], [2, 3]],
      [['m-2 since 4'], [4]],
    ]);
  });

  it('have a message that caused nothing where it came, known since the version of that time', () => {
    expect(rowsOf([event(1, 'request', 1), event(2, 'other', 9)], [{ id: 'm-1', receivedAt: at(5) }])).toEqual([
      [[], [1]],
      [['m-1 since 1'], []],
      [[], [2]],
    ]);
  });

  it('keep what follows of itself with its cause, unless something else has happened since', () => {
    expect(rowsOf([event(1, 'a'), event(2, 'event-1'), event(3, 'b'), event(4, 'event-1'), event(5, 'a')])).toEqual([
      [[], [1, 2]],
      [[], [3]],
      [[], [4]],
      [[], [5]],
    ]);
  });
});
