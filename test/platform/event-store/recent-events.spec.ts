import { describe, expect, it } from '@jest/globals';
import type { RecordedEvent } from '../../../src/kernel/event.js';
import { RecentEvents } from '../../../src/platform/event-store/recent-events.js';

const event = (position: number): RecordedEvent => ({
  id: `00000000-0000-7000-8000-${String(position).padStart(12, '0')}`,
  type: 'Happened',
  schemaVersion: 1,
  data: {},
  tenant: 't',
  actor: 'a',
  correlationId: 'c',
  causationId: 'c',
  recordedAt: '2026-01-31T12:00:00.000Z',
  streamId: 's',
  version: position,
  position,
});
const events = (...positions: number[]): RecordedEvent[] => positions.map(event);
const positions = (found: RecordedEvent[] | null): number[] | null => found && found.map(({ position }) => position);

describe('The end of the log that followers share', () => {
  it('gives exactly the events that lie between two positions', () => {
    const recent = new RecentEvents(10);
    recent.put(0, 9, events(2, 3, 5, 8));
    expect(positions(recent.take(0, 10, 9))).toEqual([2, 3, 5, 8]);
    expect(positions(recent.take(3, 10, 6))).toEqual([5]);
    expect(positions(recent.take(5, 10, 7))).toEqual([]);
  });

  it('says nothing of what it has not seen: earlier, later, or beyond its end', () => {
    const recent = new RecentEvents(10);
    recent.put(4, 9, events(5, 8));
    expect(recent.take(3, 10, 9)).toBeNull();
    expect(recent.take(9, 10, 12)).toBeNull();
    expect(recent.take(4, 10, 10)).toBeNull();
  });

  it('fills a page whose end it knows, although the log goes on', () => {
    const recent = new RecentEvents(10);
    recent.put(4, 9, events(5, 8));
    expect(positions(recent.take(4, 2, 100))).toEqual([5, 8]);
  });

  it('joins a page that overlaps or follows, and none twice', () => {
    const recent = new RecentEvents(10);
    recent.put(0, 5, events(1, 5));
    recent.put(1, 8, events(5, 7));
    recent.put(8, 9, events(9));
    expect(positions(recent.take(0, 10, 9))).toEqual([1, 5, 7, 9]);
  });

  it('begins anew where a page leaves a gap', () => {
    const recent = new RecentEvents(10);
    recent.put(0, 5, events(1, 5));
    recent.put(7, 9, events(8));
    expect(recent.take(0, 10, 9)).toBeNull();
    expect(recent.take(5, 10, 9)).toBeNull();
    expect(positions(recent.take(7, 10, 9))).toEqual([8]);
  });

  it('is not thrown off by a follower that is far behind', () => {
    const recent = new RecentEvents(10);
    recent.put(20, 25, events(21, 25));
    recent.put(0, 10, events(3, 10));
    expect(positions(recent.take(20, 10, 25))).toEqual([21, 25]);
  });

  it('remembers a bounded number of events, the latest', () => {
    const recent = new RecentEvents(3);
    recent.put(0, 9, events(1, 2, 3, 4, 5));
    expect(recent.take(1, 10, 9)).toBeNull();
    expect(positions(recent.take(2, 10, 9))).toEqual([3, 4, 5]);
  });
});
