// The product and what it is measured against, in turns.
import { median, shown, summaryOf } from './numbers.mjs';

const medianOf = (rounds, pick) => {
  const found = rounds.map(pick).filter((value) => typeof value === 'number' && !Number.isNaN(value));
  return found.length === 0 ? null : median(found);
};

const sideOf = (label, rounds) => {
  const of = (pick) => medianOf(rounds, pick);
  const side = { label, perSecond: of((r) => r.perSecond) };
  for (const name of ['p50', 'p99', 'p999', 'max']) {
    const value = of((r) => r[name]);
    if (value !== null) side[name] = value;
  }
  if (rounds[0]?.quantiles)
    side.quantiles = rounds[0].quantiles.map((_, at) => median(rounds.map((round) => round.quantiles[at])));
  if (rounds.some((round) => round.cpu))
    side.cpu = { process: of((r) => r.cpu?.process), postgres: of((r) => r.cpu?.postgres) };
  return side;
};

const kept = (round) => {
  const bare = { ...round };
  delete bare.quantiles;
  return bare;
};

/**
 * Runs every side once a round, forwards and backwards in turn, and leaves the rounds that warm up uncounted. The first
 * side is the product, or `against` names it; `prepare` runs before each round. Each side is `{ name, label, measure(round) }`, and measures a rate
 * (`perSecond`) and whatever else. Answers medians, each round, and the medians of the rounds' ratios.
 */
export const alternate = async ({ title, unit = '/s', sides, rounds, warmUps = 1, against, prepare, say }) => {
  const product = against ?? sides[0].name;
  const measured = [];
  for (let round = 1 - warmUps; round <= rounds; round++) {
    const results = {};
    await prepare?.();
    for (const { name, measure } of round % 2 === 0 ? sides : sides.toReversed()) results[name] = await measure(round);
    const line = sides.map(({ name }) => `${name} ${shown(results[name].perSecond)}`).join(', ');
    say(`${title}: round ${round}: ${line} ${unit}`);
    if (round > 0) measured.push(results);
  }
  const ratio = (name) => median(measured.map((round) => round[product].perSecond / round[name].perSecond));
  const others = sides.filter(({ name }) => name !== product);
  return {
    title,
    unit,
    product,
    sides: Object.fromEntries(
      sides.map(({ name, label }) => [
        name,
        sideOf(
          label,
          measured.map((round) => round[name]),
        ),
      ]),
    ),
    ratios: Object.fromEntries(others.map(({ name }) => [name, ratio(name)])),
    rounds: measured.map((round) =>
      Object.fromEntries(Object.entries(round).map(([name, each]) => [name, kept(each)])),
    ),
  };
};

/** The median of the rounds' ratios between two sides; null where one of them was not measured. */
export const ratioOf = ({ rounds }, above, below, pick = (side) => side.perSecond) =>
  medianOf(rounds, (round) => (round[above] && round[below] ? pick(round[above]) / pick(round[below]) : null));

/** A side that is a job of a worker, which answers how long all took and each time (ms); its CPU time is that of the worker. */
export const jobSide = (meter, name, label, worker, job, input) => ({
  name,
  label,
  measure: async () => {
    const { done, cpu } = await meter(worker.pid, async () => {
      const result = await worker.run(job, input);
      return { done: result, operations: result.times.length };
    });
    return { ...summaryOf(done), cpu };
  },
});
