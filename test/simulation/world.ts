import { instantFromMs } from '../../src/kernel/clock.js';
import { drawProfile, type CrashPoint, type FaultKind, type Profile, type SpellKind } from './faults.js';
import { hashOf, Rng } from './rng.js';

/** A broken promise of the service: the run of this seed stops here. */
export class Violation extends Error {
  constructor(
    readonly invariant: string,
    detail: string,
    /** The payment concerned; null where none is. */
    readonly about: string | null = null,
  ) {
    super(`${invariant}: ${detail}`);
    this.name = 'Violation';
  }
}

/** One life of a process, from its start to its kill. What is done for it after that never happens. */
export interface Life {
  readonly name: string;
  dead: boolean;
  /** Virtual milliseconds until which it stands still. */
  pausedUntil: number;
  crash(): void;
}

interface Due {
  at: number;
  tie: number;
  life: Life | null;
  run: () => unknown;
}

export interface WorldOptions {
  seed: number;
  mutant: string | null;
  /** Whether the lines of the trace are kept; they are always hashed. */
  traced: boolean;
}

const epoch = Date.UTC(2026, 0, 1);
const never = new Promise<never>(() => undefined);

/** One heap, one clock, one seed. Every wait of the simulated processes ends in here. */
export class World {
  /** Virtual milliseconds since the world began. */
  now = 0;
  steps = 0;
  faultsOn = true;
  readonly profile: Profile;
  readonly seed: number;
  readonly mutant: string | null;
  readonly lines: { about: string | null; text: string }[] = [];
  /** How often each fault struck, and each crash point. */
  readonly struck = new Map<string, number>();
  /** Whose step this is. */
  current: Life | null = null;
  private hash = 7;
  private readonly heap: Due[] = [];
  private readonly generators = new Map<string, Rng>();
  private readonly traced: boolean;
  private failure: Error | null = null;

  constructor({ seed, mutant, traced }: WorldOptions) {
    this.seed = seed;
    this.mutant = mutant;
    this.traced = traced;
    this.profile = drawProfile(this.rng('profile'));
  }

  /** The generator of one part. */
  rng(name: string): Rng {
    let found = this.generators.get(name);
    if (!found) this.generators.set(name, (found = new Rng(this.seed, name)));
    return found;
  }

  instant(): string {
    return instantFromMs(this.ms());
  }

  /** Virtual milliseconds since 1970. */
  ms(): number {
    return Math.floor(epoch + this.now);
  }

  /** Tells what happened; `about` is a payment. */
  trace(about: string | null, text: string): void {
    this.hash = hashOf(text, this.hash ^ Math.floor(this.now));
    if (this.traced) this.lines.push({ about, text: `${this.instant()} ${text}` });
  }

  get traceHash(): string {
    return this.hash.toString(16);
  }

  /** Does something after a while; for a process that has died meanwhile, never. */
  after(delay: number, life: Life | null, run: () => unknown): void {
    this.push({ at: this.now + Math.max(0, delay), tie: this.rng('ties').u32(), life, run });
  }

  /** Whether this fault strikes here and now. */
  strikes(kind: FaultKind): boolean {
    const rate = this.faultsOn ? this.profile.rates.get(kind) : undefined;
    if (rate === undefined || !this.rng(kind).chance(rate)) return false;
    this.count(kind);
    return true;
  }

  /** Whether a lasting fault is on. */
  during(kind: SpellKind): boolean {
    if (!this.faultsOn) return false;
    const on = this.profile.spells.some(
      (spell) => spell.kind === kind && spell.from <= this.now && this.now < spell.to,
    );
    if (on) this.count(kind);
    return on;
  }

  /** Comes back after the time that a call takes, or never: this is a point where its process may be killed. */
  io(life: Life, point: CrashPoint, shortest = 0.2, longest = 8): Promise<void> {
    if (life.dead) return never;
    if (this.crashes(point)) {
      this.count(`crash ${point}`);
      this.trace(null, `${life.name} is killed at ${point}`);
      life.crash();
      return never;
    }
    // A process that stands still while it opens an invoice finds another at its work: the rarest race of all.
    const chances = point.startsWith('gateway.create') ? 12 : 1;
    if (Array.from({ length: chances }, () => this.strikes('replica.paused')).includes(true)) {
      const pause = this.rng('pauses').logarithmic(1000, 600_000);
      life.pausedUntil = Math.min(this.now + pause, this.profile.faultsFor);
      this.trace(null, `${life.name} stands still until +${String(Math.round(life.pausedUntil / 1000))} s`);
    }
    const delay = this.rng('latency').logarithmic(shortest, longest);
    return new Promise((resolve) => this.after(delay, life, resolve));
  }

  /** The first failure of a check; whatever is going on ends with the step. */
  fail(error: unknown): void {
    this.failure ??= error instanceof Error ? error : new Error(String(error));
  }

  /** Lives until a time, or until nothing is left to happen. Throws what a check found. */
  async run(until: number, isOver: () => boolean = () => false): Promise<void> {
    for (;;) {
      const next = this.heap[0];
      if (next === undefined || next.at > until) break;
      this.pop();
      if (next.life?.dead) continue;
      if (next.life && next.life.pausedUntil > next.at) {
        this.push({ ...next, at: next.life.pausedUntil });
        continue;
      }
      this.now = Math.max(this.now, next.at);
      this.steps++;
      this.current = next.life;
      next.run();
      await settled();
      this.current = null;
      if (this.failure !== null) throw this.failure;
      if (isOver()) return;
    }
    // With nothing left to happen, nobody notices the time pass.
    if (this.heap.length > 0) this.now = Math.max(this.now, until);
  }

  count(name: string): void {
    this.struck.set(name, (this.struck.get(name) ?? 0) + 1);
  }

  private crashes(point: CrashPoint): boolean {
    if (!this.faultsOn || this.profile.crash === 0) return false;
    return this.rng('crashes').chance(Math.max(this.profile.crash, this.profile.favoured.get(point) ?? 0));
  }

  private push(due: Due): void {
    const { heap } = this;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !before(due, above)) break;
      heap[at] = above;
      at = parent;
    }
    heap[at] = due;
  }

  private pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      const left = heap[child];
      if (left === undefined) break;
      const right = heap[child + 1];
      if (right !== undefined && before(right, left)) child++;
      const least = heap[child];
      if (least === undefined || !before(least, last)) break;
      heap[at] = least;
      at = child;
    }
    heap[at] = last;
  }
}

const before = (a: Due, b: Due): boolean => a.at < b.at || (a.at === b.at && a.tie < b.tie);

const realImmediate = globalThis.setImmediate;
/** Comes back when everything that a step has set going waits for the world again. */
const settled = (): Promise<void> =>
  new Promise((resolve) => {
    realImmediate(resolve);
  });

/** A timer of the world, as `setTimeout` gives one. */
class Timer {
  cancelled = false;

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }
}

/** Makes this process's timers, clock and chance those of the world, for the code that reads them itself. */
export function inhabit(world: World): void {
  const timer = (run: (...args: unknown[]) => unknown, ms = 0, ...args: unknown[]): Timer => {
    const handle = new Timer();
    world.after(ms, world.current, () => {
      if (!handle.cancelled) run(...args);
    });
    return handle;
  };
  const clear = (handle: unknown): void => {
    if (handle instanceof Timer) handle.cancelled = true;
  };
  const machine = world.rng('machine');
  Object.assign(globalThis, { setTimeout: timer, clearTimeout: clear });
  Date.now = () => world.ms();
  Math.random = () => machine.float();
  Object.defineProperty(globalThis, 'performance', { value: { now: () => world.now }, configurable: true });
  Object.defineProperty(process, 'hrtime', {
    value: Object.assign(() => [Math.floor(world.now / 1000), machine.int(0, 999_999_999)], process.hrtime),
    configurable: true,
  });
}
