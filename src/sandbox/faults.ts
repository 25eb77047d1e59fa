import { createHash } from 'node:crypto';

/** What goes wrong on purpose. Rates are probabilities from 0 to 1. */
export interface FaultPlan {
  seed: string;
  callbacks: { drop: number; duplicate: number; delay: number; reorder: number };
  api: {
    /** The only endpoint that they befall, as `POST /payout`; empty: all of them. Requests to others are not counted. */
    only: string;
    errorRate: number;
    /** The status of those errors. */
    status: number;
    /** Added to every answer. */
    latencyMs: number;
    /** Requests that are never answered; half of them take effect first. */
    timeoutRate: number;
    /** How long such a request is held before its connection is cut. */
    timeoutMs: number;
    malformedRate: number;
  };
}

export const noFaults: FaultPlan = {
  seed: '0',
  callbacks: { drop: 0, duplicate: 0, delay: 0, reorder: 0 },
  api: { only: '', errorRate: 0, status: 500, latencyMs: 0, timeoutRate: 0, timeoutMs: 30_000, malformedRate: 0 },
};

export interface CallbackFault {
  duplicate: boolean;
  /** One per try of the schedule: whether it is lost on the way. */
  drops: boolean[];
  delayMs: number;
  /** Held back until the next callback of the same payment has been sent. */
  heldBack: boolean;
}

export type ApiFault =
  | { kind: 'none' | 'lost_before' | 'lost_after'; latencyMs: number }
  | { kind: 'error'; latencyMs: number; status: number }
  | { kind: 'malformed'; latencyMs: number; variant: 'html' | 'cut' | 'empty' };

const longestDelayMs = 10_000;
export const heldBackMs = 10_000;

/**
 * Draws faults. Each draw depends only on the seed, on what is drawn and on its number since the plan was set, so that
 * the same plan over the same requests gives the same faults, whatever the timing.
 */
export class Faults {
  private plan = noFaults;
  private callbacks = 0;
  private requests = 0;

  get current(): FaultPlan {
    return this.plan;
  }

  set(plan: FaultPlan): void {
    this.plan = plan;
    this.callbacks = 0;
    this.requests = 0;
  }

  /** Faults of the next callback. */
  nextCallback(tries: number): CallbackFault {
    const number = ++this.callbacks;
    const draw = (what: string): number => this.draw('callback', number, what);
    const rates = this.plan.callbacks;
    return {
      duplicate: draw('duplicate') < rates.duplicate,
      drops: Array.from({ length: tries }, (_, attempt) => draw(`drop ${attempt}`) < rates.drop),
      delayMs: draw('delay') < rates.delay ? 1000 + Math.floor(draw('delay length') * (longestDelayMs - 1000)) : 0,
      heldBack: draw('reorder') < rates.reorder,
    };
  }

  /** The fault of the next API request, made of `endpoint` (`POST /payout`); at most one kind each. */
  nextRequest(endpoint = ''): ApiFault {
    const { only } = this.plan.api;
    if (only !== '' && only !== endpoint) return { kind: 'none', latencyMs: 0 };
    const number = ++this.requests;
    const draw = (what: string): number => this.draw('request', number, what);
    const { errorRate, status, latencyMs, timeoutRate, malformedRate } = this.plan.api;
    if (draw('error') < errorRate) return { kind: 'error', latencyMs, status };
    if (draw('timeout') < timeoutRate) return { kind: draw('effect') < 0.5 ? 'lost_before' : 'lost_after', latencyMs };
    if (draw('malformed') < malformedRate) {
      const variants = ['html', 'cut', 'empty'] as const;
      return { kind: 'malformed', latencyMs, variant: variants[Math.floor(draw('variant') * 3)] ?? 'html' };
    }
    return { kind: 'none', latencyMs };
  }

  private draw(stream: string, number: number, what: string): number {
    const bytes = createHash('sha256').update(`${this.plan.seed} ${stream} ${number} ${what}`).digest();
    return bytes.readUIntBE(0, 6) / 2 ** 48;
  }
}
