import { Logger } from '@nestjs/common';
import {
  circuitBreaker,
  CircuitState,
  DelegateBackoff,
  ExponentialBackoff,
  handleResultType,
  retry,
  SamplingBreaker,
  type CircuitBreakerPolicy,
  type IBackoff,
  type IRetryBackoffContext,
} from 'cockatiel';

/** What became of one request. */
export type Told<T> =
  | { kind: 'ok'; value: T }
  /** The gateway understood and said no. */
  | { kind: 'refused'; status: number; field: string | null; message: string }
  /** The gateway does not take it now; nothing happened there. */
  | { kind: 'busy'; status: number; retryAfterSeconds: number | null }
  /** No answer, or none that tells what happened; `unreadable` where it has not the agreed shape. */
  | { kind: 'failed'; reason: string; unreadable: boolean }
  /** It was not sent; `denied` where our key was refused before. */
  | { kind: 'held'; reason: string; retryAfterSeconds: number; denied: boolean };

/** A class, so that the policies know it when they see it. */
export class Outcome<T> {
  constructor(readonly told: Told<T>) {}
}

/** The key that a request carries; `none` where it carries none. */
export type KeyName = 'merchant' | 'payout' | 'none';

/** Whether requests are sent: all, one to see how it fares, or none. */
export type BreakerState = 'closed' | 'half_open' | 'open';

const refusesKey = (told: Told<unknown>): boolean =>
  told.kind === 'refused' && (told.status === 401 || told.status === 403);

/** Half of at least twenty in a minute, or our key once. A "no" to one payment is an answer like another. */
class Failures extends SamplingBreaker {
  /** What the gateway last said of our key. */
  keyRefused = false;

  constructor() {
    super({ threshold: 0.5, duration: 60_000, minimumRps: 20 / 60 });
  }

  override success(state: CircuitState): void {
    this.keyRefused = false;
    super.success(state);
  }

  override failure(state: CircuitState): boolean {
    return super.failure(state) || this.keyRefused;
  }
}

/**
 * Leaves the gateway alone while requests with one key fail: nothing is sent for `openMs`, then one request, and on its
 * outcome it depends whether all follow.
 */
export class Breaker {
  private readonly log = new Logger(Breaker.name);
  private readonly failures = new Failures();
  private readonly policy: CircuitBreakerPolicy;
  private openUntilMs = 0;

  constructor(
    private readonly key: KeyName,
    openMs: number,
  ) {
    const counts = handleResultType(
      Outcome,
      ({ told }) => told.kind === 'busy' || told.kind === 'failed' || refusesKey(told),
    );
    this.policy = circuitBreaker(counts, { halfOpenAfter: openMs, breaker: this.failures });
    this.policy.onBreak(() => {
      this.openUntilMs = Date.now() + openMs;
      this.log.warn({ msg: 'OxaPay is left alone for a while', keyName: key, seconds: openMs / 1000 });
    });
    this.policy.onReset(() => {
      this.log.log({ msg: 'OxaPay is asked again', keyName: key });
    });
  }

  get state(): BreakerState {
    if (this.policy.state === CircuitState.Closed) return 'closed';
    return this.policy.state === CircuitState.HalfOpen ? 'half_open' : 'open';
  }

  /** What stands for a request's outcome while none may be sent; null where one may. */
  held(): Outcome<never> | null {
    const leftMs = this.openUntilMs - Date.now();
    if (this.state === 'closed' || (this.state === 'open' && leftMs <= 0)) return null;
    const why = this.failures.keyRefused ? `it does not accept our ${this.key} key` : 'too many requests failed';
    const retryAfterSeconds = Math.max(1, Math.ceil(leftMs / 1000));
    const denied = this.failures.keyRefused;
    return new Outcome({ kind: 'held', reason: `OxaPay is not asked now: ${why}`, retryAfterSeconds, denied });
  }

  /** Sends a request, unless it is held. */
  async run<T>(request: () => Promise<Outcome<T>>): Promise<Outcome<T>> {
    // While one request is tried, the policy would keep all others waiting for it.
    return (
      this.held() ??
      this.policy.execute(async () => {
        const outcome = await request();
        if (refusesKey(outcome.told)) this.noteRefusedKey();
        return outcome;
      })
    );
  }

  private noteRefusedKey(): void {
    if (this.failures.keyRefused) return;
    this.failures.keyRefused = true;
    this.log.error({
      msg: `OxaPay does not accept our ${this.key} key: see in its panel whether the key was revoked or is bound to other addresses, and put one that is valid first in OXAPAY_${this.key.toUpperCase()}_API_KEY`,
      keyName: this.key,
    });
  }
}

/** A longer `Retry-After` ends the question; whoever asked is told how long. */
const longestWaitMs = 3000;
const longestPauseMs = 1000;

/** How often a question is asked, and how long. */
export interface Patience {
  tries: number;
  /** About the wait before the first repetition, milliseconds; the next ones are longer. */
  pauseMs: number;
  /** Milliseconds until nobody waits for the answer any more. */
  leftMs: () => number;
}

/** Runs `attempt` again, after a random wait or the one asked for, while that may help and its time is not over. */
export function repeated<T>(
  attempt: () => Promise<Outcome<T>>,
  { tries, pauseMs, leftMs }: Patience,
): Promise<Outcome<T>> {
  const worthwhile = handleResultType(Outcome, ({ told }) => {
    const waitMs = askedWaitMs(told) ?? longestPauseMs;
    return (told.kind === 'busy' || told.kind === 'failed') && waitMs <= longestWaitMs && waitMs < leftMs();
  });
  const random = new ExponentialBackoff({ initialDelay: pauseMs, maxDelay: longestPauseMs });
  const backoff = new DelegateBackoff<IRetryBackoffContext<unknown>, IBackoff<unknown>>(({ result }, before) => {
    const pause = before?.next(undefined) ?? random.next();
    const asked = 'value' in result && result.value instanceof Outcome ? askedWaitMs(result.value.told) : null;
    return { delay: asked ?? pause.duration, state: pause };
  });
  return retry(worthwhile, { maxAttempts: tries - 1, backoff }).execute(attempt);
}

const askedWaitMs = (told: Told<unknown>): number | null =>
  told.kind === 'busy' && told.retryAfterSeconds !== null ? told.retryAfterSeconds * 1000 : null;
