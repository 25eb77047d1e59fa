/** A seeded generator (sfc32). Each part of the simulation has its own, so that a new draw in one changes no other. */
export class Rng {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: number, name: string) {
    this.a = hashOf(name, seed);
    this.b = hashOf(name, this.a ^ 0x9e3779b9);
    this.c = hashOf(name, this.b + seed);
    for (let n = 0; n < 12; n++) this.u32();
  }

  u32(): number {
    const t = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + t;
    return t >>> 0;
  }

  /** In [0, 1). */
  float(): number {
    return this.u32() / 2 ** 32;
  }

  chance(p: number): boolean {
    return this.float() < p;
  }

  /** A whole number from `from` to `to`, both included. */
  int(from: number, to: number): number {
    return from + Math.floor(this.float() * (to - from + 1));
  }

  /** Spread evenly over the orders of magnitude between the two. */
  logarithmic(from: number, to: number): number {
    return from * (to / from) ** this.float();
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.int(0, list.length - 1)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  }
}

/** 32 bits of a text (murmur-like mixing). */
export function hashOf(text: string, seed: number): number {
  let h = (seed ^ 0x811c9dc5) | 0;
  for (let at = 0; at < text.length; at++) h = Math.imul(h ^ text.charCodeAt(at), 0x5bd1e995) ^ (h >>> 15);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return (h ^ (h >>> 13)) >>> 0;
}
