import { describe, expect, it } from '@jest/globals';
import { Watermark } from '../../../src/platform/event-store/watermark.js';

const look = (drawn: number, ...writers: string[]) => ({ drawn, writers: new Set(writers) });

describe('The watermark of the log', () => {
  it('is the last position drawn while nobody writes', () => {
    const mark = new Watermark();
    expect(mark.advance(look(7))).toBe(7);
  });

  it('stays below what an open transaction may still commit, and rises once that has ended', () => {
    const mark = new Watermark();
    mark.advance(look(7));
    expect(mark.advance(look(9, 'a'))).toBe(7);
    expect(mark.advance(look(12, 'a', 'b'))).toBe(7);
    expect(mark.advance(look(15, 'b'))).toBe(9);
    expect(mark.advance(look(20))).toBe(20);
  });

  it('rises under writers that never pause', () => {
    const mark = new Watermark();
    const marks = [1, 2, 3, 4, 5].map((n) => mark.advance(look(n * 10, `t${n}`, `t${n + 1}`)));
    expect(marks).toEqual([0, 0, 10, 20, 30]);
  });

  it('never falls', () => {
    const mark = new Watermark();
    mark.advance(look(9));
    expect(mark.advance(look(4))).toBe(9);
  });

  it('goes on beside a transaction that stays open for a long time, bounded in memory', () => {
    const mark = new Watermark();
    for (let n = 1; n <= 1000; n++) mark.advance(look(n, 'long'));
    expect(mark.advance(look(1001))).toBe(1001);
  });
});
