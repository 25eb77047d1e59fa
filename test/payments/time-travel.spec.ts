import { describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '../../src/kernel/event.js';
import { asItWas } from '../../src/payments/time-travel.js';
import { open } from './given.js';

const id = '01890000-0000-7000-8000-000000000001';
const recorded = (times: string[]): RecordedEvent[] =>
  [...open(), { type: 'PaymentExpired', data: { clause: 'deadline', at: '2026-01-01T13:00:00.000Z' } }].map(
    ({ type, data }, index) => ({
      ...{ id, streamId: id, version: index + 1, position: index + 1, type, schemaVersion: 1 },
      ...{ recordedAt: times[index] ?? '', tenant: id, actor: 'gateway', correlationId: id, causationId: id },
      data: JSON.parse(JSON.stringify(data)),
      hash: Buffer.alloc(32),
    }),
  );

describe('A payment as it was', () => {
  it('rests on the events up to a version, whatever the clocks of those who recorded them', () => {
    // The process that recorded the second event was half a second ahead of the other.
    const events = recorded(['2026-01-01T12:00:00.000Z', '2026-01-01T13:00:00.500Z', '2026-01-01T13:00:00.200Z']);
    const { payment, asOf } = asItWas(events, { time: '2026-01-01T13:00:00.300Z' });
    expect([payment.status, asOf.version, asOf.newestVersion]).toEqual(['created', 1, 3]);
    expect(asItWas(events, { time: '2026-01-01T13:00:00.500Z' }).payment.status).toBe('expired');
  });
});
