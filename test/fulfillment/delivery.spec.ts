import { describe, expect, it } from '@jest/globals';
import { addSeconds, msOf } from '../../src/kernel/clock.js';
import {
  endpointEvents,
  healthAfter,
  nextOf,
  wellEndpoint,
  type AttemptResult,
  type EndpointHealth,
} from '../../src/fulfillment/delivery.js';

const now = '2026-01-31T12:00:00.000Z';
const hours = (count: number): string => addSeconds(now, count * 3600);
const failed: AttemptResult = { outcome: 'http_5xx', status: 500, retryAfterSeconds: null };
const arrived: AttemptResult = { outcome: 'success', status: 200, retryAfterSeconds: null };
const gone: AttemptResult = { outcome: 'http_4xx', status: 410, retryAfterSeconds: null };
const first = { roundAttempt: 1, roundBeganAt: now };

/** An endpoint whose attempts fail at these times. */
const failing = (...times: string[]): EndpointHealth =>
  times.reduce((health, at) => healthAfter(health, failed, at, 0.5), wellEndpoint);

describe('A delivery', () => {
  it('is done when it arrived, and dead when the answer is final', () => {
    expect(nextOf(first, arrived, now, 0)).toEqual({ status: 'delivered' });
    expect(nextOf(first, gone, now, 0)).toEqual({ status: 'dead' });
    const blocked: AttemptResult = { outcome: 'blocked_address', status: null, retryAfterSeconds: null };
    expect(nextOf(first, blocked, now, 0)).toEqual({ status: 'dead' });
  });

  it('is tried again after gaps that grow and are spread', () => {
    const due = (roundAttempt: number, chance: number): number => {
      const next = nextOf({ roundAttempt, roundBeganAt: now }, failed, now, chance);
      return next.status === 'waiting' ? msOf(next.dueAt) - msOf(now) : 0;
    };
    expect(due(1, 0)).toBe(4750);
    expect(due(2, 0)).toBe(9500);
    expect(due(2, 0.9)).toBeGreaterThan(due(2, 0.1));
    expect(due(20, 0.5)).toBeGreaterThan(6 * 3600_000);
  });

  it('O05: is tried again when the answer asks for it', () => {
    const asked = { ...failed, status: 503, retryAfterSeconds: 7200 };
    expect(nextOf(first, asked, now, 0)).toEqual({ status: 'waiting', dueAt: hours(2) });
  });

  it('O20: is dead after three days of at least ten attempts, and its last attempt comes at their end', () => {
    const late = { roundAttempt: 20, roundBeganAt: now };
    expect(nextOf(late, failed, hours(71), 0)).toEqual({ status: 'waiting', dueAt: hours(72) });
    expect(nextOf(late, failed, hours(72), 0)).toEqual({ status: 'dead' });
    expect(nextOf({ roundAttempt: 9, roundBeganAt: now }, failed, hours(80), 0).status).toBe('waiting');
    expect(nextOf({ roundAttempt: 10, roundBeganAt: now }, failed, hours(80), 0).status).toBe('dead');
  });
});

describe('An endpoint', () => {
  it('O06: is slowed by failures: one attempt at a time from the first, and pauses that grow to five minutes', () => {
    let health = failing(now);
    expect(health).toMatchObject({ failingSince: now, failures: 1, pausedUntil: null });
    health = healthAfter(health, failed, now, 0.5);
    expect(health.pausedUntil).toBeNull();
    const pauses = Array.from({ length: 12 }, () => {
      health = healthAfter(health, failed, now, 0.999999);
      return Math.round((msOf(health.pausedUntil ?? now) - msOf(now)) / 1000);
    });
    expect(pauses).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300, 300]);
  });

  it('is well again after one success, and back from an outage when that took a minute', () => {
    expect(healthAfter(failing(now, now, now), arrived, addSeconds(now, 30), 0)).toEqual(wellEndpoint);
    expect(healthAfter(failing(now), arrived, addSeconds(now, 60), 0)).toEqual({ ...wellEndpoint, recovered: true });
    expect(healthAfter(wellEndpoint, arrived, now, 0)).toEqual(wellEndpoint);
  });

  it('is left alone for as long as a busy answer asks, but no longer than five minutes', () => {
    const busy = { ...failed, status: 429, retryAfterSeconds: 120 };
    expect(healthAfter(failing(now, now), busy, now, 0).pausedUntil).toBe(addSeconds(now, 120));
    const endless = { ...busy, retryAfterSeconds: 86_400 };
    expect(healthAfter(failing(now, now), endless, now, 0).pausedUntil).toBe(addSeconds(now, 300));
  });

  it('that fails for two days is told of once', () => {
    const before = failing(now, hours(47));
    expect(before.warnedAt).toBeNull();
    const warned = healthAfter(before, failed, hours(48), 0);
    expect(endpointEvents('shop', before, warned, hours(48))).toEqual([
      {
        type: 'WebhookEndpointFailing',
        data: { endpointId: 'shop', since: now, disabledAfter: hours(120), at: hours(48) },
      },
    ]);
    const later = healthAfter(warned, failed, hours(60), 0);
    expect(later.warnedAt).toBe(hours(48));
    expect(endpointEvents('shop', warned, later, hours(60))).toEqual([]);
  });

  it('is disabled after five days of at least ten failures in a row', () => {
    const nine = failing(...Array.from({ length: 9 }, (_, n) => hours(n * 15)));
    expect(nine.disabled).toBeNull();
    const ten = healthAfter(nine, failed, hours(121), 0);
    expect(ten.disabled).toBe('failing');
    expect(endpointEvents('shop', nine, ten, hours(121))).toEqual([
      { type: 'WebhookEndpointDisabled', data: { endpointId: 'shop', reason: 'failing', at: hours(121) } },
    ]);
    expect(failing(...Array.from({ length: 40 }, (_, n) => hours(n * 2))).disabled).toBeNull();
  });

  it('O04: that answers 410 is disabled at once', () => {
    const after = healthAfter(wellEndpoint, gone, now, 0);
    expect(after.disabled).toBe('gone');
    expect(endpointEvents('shop', wellEndpoint, after, now)).toMatchObject([{ data: { reason: 'gone' } }]);
  });
});
