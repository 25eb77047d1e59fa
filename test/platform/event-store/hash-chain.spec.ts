import { describe, expect, it } from '@jest/globals';
import {
  eventHash,
  firstBreak,
  type ChainedEvent,
  type HashedEvent,
} from '../../../src/platform/event-store/hash-chain.js';

const event = (version: number, changes: Partial<HashedEvent> = {}): HashedEvent => ({
  streamId: '01890000-0000-7000-8000-000000000001',
  version,
  id: `01890000-0000-7000-8000-00000000010${version}`,
  type: 'PaymentSeen',
  schemaVersion: 1,
  recordedAt: '2026-02-03T04:05:06.070Z',
  tenant: '01890000-0000-7000-8000-000000000002',
  actor: 'gateway',
  correlationId: '01890000-0000-7000-8000-000000000003',
  causationId: '01890000-0000-7000-8000-000000000004',
  data: '{"amount":"10.00"}',
  ...changes,
});

const chain = (...events: HashedEvent[]): ChainedEvent[] => {
  let hash: Buffer | null = null;
  return events.map((one) => ({ ...one, hash: (hash = eventHash(hash, one)) }));
};

describe('The hash of an event', () => {
  it('is the same on every machine and in every release', () => {
    expect(eventHash(null, event(1)).toString('hex')).toBe(
      'aef262c99dc114745714362d1851c92ae320b387ffd57ef7bf2fbae025bb703f',
    );
  });

  it('changes with each of its fields', () => {
    const changed: Partial<HashedEvent>[] = [
      { streamId: '01890000-0000-7000-8000-000000000009' },
      { version: 2 },
      { id: 'other' },
      { type: 'PaymentSeenAgain' },
      { schemaVersion: 2 },
      { recordedAt: '2026-02-03T04:05:06.071Z' },
      { tenant: 'other' },
      { actor: 'operator:x' },
      { correlationId: 'other' },
      { causationId: 'other' },
      { data: '{"amount":"10.0"}' },
    ];
    const hashes = changed.map((change) => eventHash(null, event(1, change)).toString('hex'));
    expect(new Set([...hashes, eventHash(null, event(1)).toString('hex')]).size).toBe(changed.length + 1);
  });

  it('does not let bytes move from one field to the next', () => {
    const one = eventHash(null, event(1, { type: 'ab', actor: 'c' }));
    expect(eventHash(null, event(1, { type: 'a', actor: 'bc' })).equals(one)).toBe(false);
  });

  it('depends on its predecessor', () => {
    expect(eventHash(Buffer.alloc(32, 1), event(2)).equals(eventHash(Buffer.alloc(32, 2), event(2)))).toBe(false);
  });
});

describe('The chain of a stream', () => {
  it('holds as it was written, in whole and from any point on', () => {
    const events = chain(event(1), event(2), event(3));
    expect(firstBreak(events)).toBeNull();
    expect(firstBreak(events.slice(1), events[0])).toBeNull();
  });

  it('breaks at a changed, a removed, an inserted and a swapped event', () => {
    const [one, two, three] = chain(event(1), event(2), event(3)) as [ChainedEvent, ChainedEvent, ChainedEvent];
    const reason = 'hash_mismatch';
    expect(firstBreak([one, { ...two, data: '{"amount":"10.01"}' }, three])).toMatchObject({ version: 2, reason });
    expect(firstBreak([one, three])).toMatchObject({ version: 2, reason: 'missing_version' });
    expect(firstBreak([two, three])).toMatchObject({ version: 1, reason: 'missing_version' });
    expect(firstBreak([one, { ...three, version: 2 }, { ...two, version: 3 }])).toMatchObject({ version: 2, reason });
  });
});
