// Loaded before the service's own program: told by SIGUSR2, it does what no code of ours would do on purpose.
const deeds = {
  /** A promise that nobody waits for is rejected. */
  reject: () => void Promise.reject(new Error('nobody waits for this')),
  throw: () => {
    throw new Error('nobody catches this');
  },
  /** The event loop stands still. */
  block: () => {
    for (const until = performance.now() + 5000; performance.now() < until;);
  },
  /** Memory is taken until there is none. */
  hoard: () => {
    const kept = [];
    const take = () => {
      for (let n = 0; n < 20_000; n += 1) kept.push({ n, more: [n, String(n)] });
      setImmediate(take);
    };
    take();
  },
};

process.on('SIGUSR2', () => deeds[process.env.MISBEHAVE]());
