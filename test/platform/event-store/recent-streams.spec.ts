import { describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '../../../src/kernel/event.js';
import type { Stream, StreamHead } from '../../../src/platform/event-store/append.js';
import { RecentStreams } from '../../../src/platform/event-store/recent-streams.js';

const event = (streamId: string, version: number, position: number): RecordedEvent => ({
  id: `00000000-0000-7000-8000-${String(position).padStart(12, '0')}`,
  type: 'Happened',
  schemaVersion: 1,
  data: {},
  tenant: 't',
  actor: 'a',
  correlationId: 'c',
  causationId: 'c',
  recordedAt: '2026-01-31T12:00:00.000Z',
  streamId,
  version,
  position,
});
const head = (version: number): StreamHead => ({ version, hash: version === 0 ? null : Buffer.alloc(32, version) });
const stream = (streamId: string, ...positions: number[]): Stream => ({
  streamId,
  events: positions.map((position, at) => event(streamId, at + 1, position)),
  head: head(positions.length),
});

describe('The streams that a process has just read or written', () => {
  it('are given where they reach as far as is asked, and not otherwise', () => {
    const recent = new RecentStreams(10);
    recent.read(stream('a', 3, 7));
    expect(recent.upTo('a', 7)?.events.map(({ position }) => position)).toEqual([3, 7]);
    expect(recent.upTo('a', 2)?.head.version).toBe(2);
    expect(recent.upTo('a', 8)).toBeNull();
    expect(recent.upTo('b', 0)).toBeNull();
  });

  it('grow by what is appended to them, from their first event on', () => {
    const recent = new RecentStreams(10);
    recent.appended('a', head(0), [event('a', 1, 5)], head(1));
    recent.appended('a', head(1), [event('a', 2, 9)], head(2));
    expect(recent.upTo('a', 9)?.events.map(({ version }) => version)).toEqual([1, 2]);
    expect(recent.upTo('a', 9)?.head).toEqual(head(2));
  });

  it('are forgotten where something was appended behind events that are not known', () => {
    const recent = new RecentStreams(10);
    recent.appended('unknown', head(3), [event('unknown', 4, 9)], head(4));
    expect(recent.upTo('unknown', 0)).toBeNull();
    recent.read(stream('a', 3));
    recent.appended('a', head(2), [event('a', 3, 9)], head(3));
    expect(recent.upTo('a', 0)).toBeNull();
  });

  it('do not go back to what an earlier read saw', () => {
    const recent = new RecentStreams(10);
    recent.read(stream('a', 3, 7));
    recent.read(stream('a', 3));
    expect(recent.upTo('a', 7)).not.toBeNull();
  });

  it('are few: those used longest ago are forgotten', () => {
    const recent = new RecentStreams(2);
    for (const id of ['a', 'b']) recent.read(stream(id, 1));
    recent.appended('a', head(1), [event('a', 2, 5)], head(2));
    recent.read(stream('c', 6));
    expect([recent.upTo('a', 1), recent.upTo('b', 1), recent.upTo('c', 1)].map((found) => found !== null)).toEqual([
      true,
      false,
      true,
    ]);
  });
});
