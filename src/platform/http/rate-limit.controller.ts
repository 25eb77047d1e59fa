import { Injectable } from '@nestjs/common';
import { Clock, msOf } from '../../kernel/clock.js';
import { Refusal } from '../../kernel/refusal.js';

const windowSeconds = 60;
/** Requests without a valid key or signature that one address may make in a window. */
const refusedAtMost = 400;
/** Wrong passwords that one address may send in a window. */
const wrongPasswordsAtMost = 10;
/** Payments that one address may open by links in a window: many people may share an address. */
const linkOpeningsAtMost = 30;
/** Test payments that one address may make in a window by the landing page's form. */
const testPaymentsAtMost = 30;
const trackedAtMost = 50_000;

type Counted = 'application' | 'refused' | 'wrong password' | 'link opening' | 'test payment';

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
  spend(kind: Counted, who: string): Record<string, string> {
    const reset = this.secondsLeft();
    const most = this.mostOf(kind);
    const used = this.usedBy(kind, who) + 1;
    this.counts.set(`${kind}:${who}`, used);
    if (used > most) throw refusal(most, reset);
    return limitHeaders(most, most - used, reset);
  }

  /** Throws `Refusal('rate_limited')` where nothing is left, and counts nothing. */
  refuseSpent(kind: Counted, who: string): void {
    if (this.isSpent(kind, who)) throw refusal(this.mostOf(kind), this.secondsLeft());
  }

  /** Whether nothing is left; counts nothing. */
  isSpent(kind: Counted, who: string): boolean {
    this.secondsLeft();
    return this.usedBy(kind, who) >= this.mostOf(kind);
  }

  private usedBy(kind: Counted, who: string): number {
    return this.counts.get(`${kind}:${who}`) ?? 0;
  }

  private mostOf(kind: Counted): number {
    if (kind === 'application') return this.perApplication;
    if (kind === 'link opening') return linkOpeningsAtMost;
    if (kind === 'test payment') return testPaymentsAtMost;
    return kind === 'refused' ? refusedAtMost : wrongPasswordsAtMost;
  }

  /** Of the window that is now, which begins where the last one is over. */
  private secondsLeft(): number {
    const seconds = Math.floor(msOf(this.clock.now()) / 1000);
    this.turn(Math.floor(seconds / windowSeconds));
    return windowSeconds - (seconds % windowSeconds);
  }

  private turn(window: number): void {
    if (window === this.window && this.counts.size < trackedAtMost) return;
    this.window = window;
    this.counts.clear();
  }
}

const refusal = (most: number, reset: number): Refusal =>
  new Refusal('rate_limited', `At most ${String(most)} requests a minute; try again in ${String(reset)} s.`, [], {
    retryAfter: reset,
    limit: most,
  });
