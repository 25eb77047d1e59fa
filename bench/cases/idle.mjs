// What the service takes when nobody asks anything of it, and how long a start takes.
import { median } from '../support/numbers.mjs';
import { dataDirectory, startService } from '../support/processes.mjs';

const settleMs = 3000;

const start = async (dataDir) => {
  const service = await startService(dataDir);
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const rssMb = await service.rssMb();
  await service.stop();
  return { readyMs: service.readyMs, rssMb };
};

export const measureIdle = async ({ rounds, say }) => {
  const [first, again] = [[], []];
  for (let round = 0; round < rounds; round++) {
    const dataDir = await dataDirectory();
    first.push(await start(dataDir));
    again.push(await start(dataDir));
    say(
      `idle: round ${round + 1}: ready after ${Math.round(first.at(-1).readyMs)} and ${Math.round(again.at(-1).readyMs)} ms`,
    );
  }
  return {
    firstReadyMs: median(first.map(({ readyMs }) => readyMs)),
    readyMs: median(again.map(({ readyMs }) => readyMs)),
    rssMb: median([...first, ...again].map(({ rssMb }) => rssMb ?? NaN)),
  };
};
