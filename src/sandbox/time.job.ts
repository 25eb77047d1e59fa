import { msOf } from '../kernel/clock.js';
import type { SystemClock } from '../platform/clock.js';
import type { Callbacks, Subject } from './callbacks.client.js';
import type { FakeGateway } from './fake-gateway.js';

const tickMs = 250;
const mostSteps = 2_000;
const longestWaitMs = 15_000;
/** How long a control route waits for the callbacks that it set off. */
const callbackWaitMs = 3_000;

interface TimeWorld {
  clock: SystemClock;
  gateway: FakeGateway;
  callbacks: Callbacks;
  /** Told once the clock stands where it was moved to. */
  advanced: (seconds: number) => Promise<void>;
}

/** What happens with time: deadlines, payout steps and due callbacks, by themselves and when the clock is moved. */
export class Time {
  private timer: NodeJS.Timeout | undefined;
  private moving: Promise<void> = Promise.resolve();

  constructor(private readonly world: TimeWorld) {}

  start(): void {
    this.timer = setInterval(() => void this.runDue(), tickMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Lets everything happen that is due now; resolves when due callbacks were answered or timed out. */
  runDue(): Promise<void> {
    this.world.gateway.tick();
    return this.world.callbacks.run();
  }

  /** Sends what is due of one payment or payout and waits for the answers, for three seconds at most. */
  deliver(subject: Subject): Promise<void> {
    return withinMs(this.world.callbacks.runFor(subject), callbackWaitMs);
  }

  /**
   * Moves the shared clock. It stops at each deadline and each due callback on the way, so that they happen at their
   * own time and in their own order. Moves one after the other; each waits at most 15 seconds for callback answers.
   */
  advance(seconds: number): Promise<void> {
    const move = this.moving.then(() => this.move(seconds));
    this.moving = move.catch(() => undefined);
    return move;
  }

  private async move(seconds: number): Promise<void> {
    const { clock } = this.world;
    const target = clock.offset + seconds * 1000;
    const waitUntil = performance.now() + longestWaitMs;
    await this.settleDue(waitUntil);
    for (let step = 0; step < mostSteps; step++) {
      const nowMs = msOf(clock.now());
      const next = this.nextMs(nowMs);
      if (next === null || next - nowMs >= target - clock.offset) break;
      clock.advance((next - nowMs) / 1000);
      await this.settleDue(waitUntil);
    }
    clock.advance(Math.max(0, target - clock.offset) / 1000);
    await this.settleDue(waitUntil);
    await this.world.advanced(seconds);
  }

  private settleDue(waitUntil: number): Promise<void> {
    return withinMs(this.runDue(), waitUntil - performance.now());
  }

  private nextMs(nowMs: number): number | null {
    const moments = [this.world.gateway.nextChangeMs(nowMs), this.world.callbacks.nextDueMs(nowMs)];
    const known = moments.filter((moment) => moment !== null);
    return known.length === 0 ? null : Math.min(...known);
  }
}

/** Waits for `work`, but no longer than that; what is still running goes on by itself. */
async function withinMs(work: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.max(0, ms));
  });
  await Promise.race([work, limit]);
  clearTimeout(timer);
}
