// The order read model rebuilt from the log that the callbacks left, while nothing else runs.
import { median, perSecond } from '../support/numbers.mjs';
import { startDatabase, startWorker } from '../support/processes.mjs';

const pageSize = 2000;

export const measureReplay = async ({ dataDir, rounds, say }) => {
  const database = await startDatabase(dataDir);
  const measured = [];
  for (let round = 0; round <= rounds; round++) {
    // A process for each round, as the command line starts one.
    const worker = startWorker();
    const floor = await worker.run('scan', { url: database.url, pageSize });
    const product = await worker.run('rebuildOrders', { url: database.url });
    await worker.stop();
    if (product.events !== floor.events) throw new Error(`${product.events} of ${floor.events} events replayed`);
    const rates = { product: perSecond(product.events, product.ms), floor: perSecond(floor.events, floor.ms) };
    say(`replay: round ${round}: ${Math.round(rates.product)}/s, floor ${Math.round(rates.floor)}/s`);
    if (round > 0) measured.push({ ...rates, events: product.events });
  }
  await database.stop();
  const of = (pick) => median(measured.map(pick));
  return {
    rounds: measured,
    events: measured[0].events,
    product: { perSecond: of((round) => round.product) },
    floor: { perSecond: of((round) => round.floor) },
    ratio: of((round) => round.product / round.floor),
  };
};
