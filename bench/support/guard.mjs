/**
 * Holds measured ratios against committed ones. Only ratios: both sides ran in turns on the same machine, so that a slow
 * one slows both. Of each pair there is the ratio of the rates, which sees all waiting but also what else the machine does,
 * and that of the CPU time per operation, which other work hardly moves. `bands` has the share of a committed ratio that
 * has to be left, for each of the two. What was not measured fails: a guard that looks at nothing guards nothing; only CPU
 * time is left out where the system does not tell it (null).
 */
export const verdictsOf = ({ bands, ratios }, measured) =>
  Object.entries(ratios).flatMap(([name, committed]) =>
    Object.entries(committed).flatMap(([kind, ratio]) => {
      const found = measured[name]?.[kind];
      if (kind === 'cpu' && found === null) return [];
      const least = ratio * bands[kind];
      const holds = typeof found === 'number' && found >= least;
      return [{ name, kind, committed: ratio, least, measured: found ?? null, holds }];
    }),
  );

/** The better one of two measurements of a pair, ratio by ratio. */
export const betterOf = (first, second) =>
  Object.fromEntries(
    Object.entries(first).map(([kind, ratio]) => [kind, ratio === null ? null : Math.max(ratio, second[kind])]),
  );

/** One line for people. */
export const lineOf = ({ name, kind, committed, least, measured, holds }) => {
  const found = measured === null || Number.isNaN(measured) ? 'not measured' : measured.toFixed(3);
  const what = kind === 'cpu' ? 'CPU time' : 'rate';
  return `${holds ? 'holds' : 'FALLS'}  ${name}, ${what}: ${found} (committed ${committed.toFixed(3)}, at least ${least.toFixed(3)})`;
};
