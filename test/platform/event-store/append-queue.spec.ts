import { describe, expect, it } from '@jest/globals';
import { AppendQueue } from '../../../src/platform/event-store/append-queue.js';

const waiting = (name: string, claims: string[], alone = false) => ({ name, claims, alone });
const names = (batch: { name: string }[]): string[] => batch.map((item) => item.name);
const queueOf = (...items: ReturnType<typeof waiting>[]) => {
  const queue = new AppendQueue<ReturnType<typeof waiting>>(10, 4);
  for (const item of items) queue.offer(item);
  return queue;
};

describe('Appends that wait', () => {
  it('share a statement, first come first served, up to its size', () => {
    const queue = queueOf(...['a', 'b', 'c', 'd', 'e'].map((name) => waiting(name, [name])));
    expect(names(queue.take(new Set()))).toEqual(['a', 'b', 'c', 'd']);
    expect(names(queue.take(new Set()))).toEqual(['e']);
    expect(queue.take(new Set())).toEqual([]);
  });

  it('for one stream or one message go into different statements, in their order', () => {
    const queue = queueOf(waiting('a1', ['a']), waiting('ab', ['a', 'b']), waiting('b1', ['b']), waiting('c1', ['c']));
    expect(names(queue.take(new Set()))).toEqual(['a1', 'c1']);
    expect(names(queue.take(new Set()))).toEqual(['ab']);
    expect(names(queue.take(new Set()))).toEqual(['b1']);
  });

  it('wait for a statement in flight that holds what they claim', () => {
    const queue = queueOf(waiting('a', ['a']), waiting('b', ['b']));
    expect(names(queue.take(new Set(['a'])))).toEqual(['b']);
    expect(names(queue.take(new Set()))).toEqual(['a']);
  });

  it('go alone where they must', () => {
    const queue = queueOf(
      waiting('a', ['a'], true),
      waiting('b', ['b']),
      waiting('c', ['c'], true),
      waiting('d', ['d']),
    );
    expect(names(queue.take(new Set()))).toEqual(['a']);
    expect(names(queue.take(new Set()))).toEqual(['b', 'd']);
    expect(names(queue.take(new Set()))).toEqual(['c']);
  });

  it('are bounded', () => {
    const queue = new AppendQueue<ReturnType<typeof waiting>>(1, 4);
    expect([queue.offer(waiting('a', ['a'])), queue.offer(waiting('b', ['b']))]).toEqual([true, false]);
  });
});
