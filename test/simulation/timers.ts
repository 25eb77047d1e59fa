/** Stands in for `node:timers/promises` in the build: pauses go by the clock of the world (see `world.ts`). */
export const setTimeout = <T>(ms: number, value?: T): Promise<T | undefined> =>
  new Promise((resolve) => {
    globalThis.setTimeout(() => resolve(value), ms);
  });
