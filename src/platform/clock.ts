import { Clock, instantFromMs, type Instant } from '../kernel/clock.js';

/** The machine's clock, moved by an offset. Only the sandbox ever moves it; with a real gateway the offset stays 0. */
export class SystemClock extends Clock {
  constructor(private offsetMs = 0) {
    super();
  }

  now(): Instant {
    return instantFromMs(Date.now() + this.offsetMs);
  }

  advance(seconds: number): void {
    this.offsetMs += seconds * 1000;
  }

  get offset(): number {
    return this.offsetMs;
  }
}
