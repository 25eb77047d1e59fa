import { Injectable } from '@nestjs/common';
import { Clock, msOf } from '../../kernel/clock.js';
import { Refusal } from '../../kernel/refusal.js';

const windowSeconds = 60;
/** Requests without a valid key or signature that one address may make in a window. */
const refusedAtMost = 400;
const trackedAtMost = 50_000;

/** What a caller is told of its limit: requests a window, how many are left, and the seconds until a new one begins. */
export const limitHeaders = (limit: number, remaining: number, reset: number): Record<string, string> => ({
  'ratelimit-limit': String(limit),
  'ratelimit-remaining': String(remaining),
  'ratelimit-reset': String(reset),
});

/**
 * Counts requests in windows of a minute, per process: by application where the key is good, by address where it is not.
 * Good signatures of the gateway are never counted: a limit there would lose money.
 */
@Injectable()
export class RateLimit {
  private window = 0;
  private readonly counts = new Map<string, number>();

  constructor(
    private readonly perApplication: number,
    private readonly clock: Clock,
  ) {}

  /** Counts one request. Returns headers that tell what is left; throws `Refusal('rate_limited')` where nothing is. */
  spend(kind: 'application' | 'refused', who: string): Record<string, string> {
    const seconds = Math.floor(msOf(this.clock.now()) / 1000);
    this.turn(Math.floor(seconds / windowSeconds));
    const most = kind === 'application' ? this.perApplication : refusedAtMost;
    const used = (this.counts.get(`${kind}:${who}`) ?? 0) + 1;
    this.counts.set(`${kind}:${who}`, used);
    const reset = windowSeconds - (seconds % windowSeconds);
    if (used > most) {
      throw new Refusal(
        'rate_limited',
        `At most ${String(most)} requests a minute; try again in ${String(reset)} s.`,
        [],
        { retryAfter: reset, limit: most },
      );
    }
    return limitHeaders(most, most - used, reset);
  }

  private turn(window: number): void {
    if (window === this.window && this.counts.size < trackedAtMost) return;
    this.window = window;
    this.counts.clear();
  }
}
