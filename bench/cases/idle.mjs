// What the service takes when nobody asks anything of it, and how long a start takes.
import { median, shown } from '../support/numbers.mjs';
import { startService } from '../support/processes.mjs';

const settleMs = 3000;

const start = async (dataDir) => {
  const service = await startService(dataDir);
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const rssMb = await service.rssMb();
  await service.stop();
  return { readyMs: service.readyMs, rssMb };
};

export const idle = {
  name: 'idle',
  about: 'memory at rest, and the time that a start takes',
  default: true,
  run: async ({ size, dataDirectory, say }) => {
    const [first, again] = [[], []];
    for (let round = 0; round < size(2, 1); round++) {
      const dataDir = await dataDirectory();
      first.push(await start(dataDir));
      again.push(await start(dataDir));
      say(`idle: ready after ${shown(first.at(-1).readyMs)} and ${shown(again.at(-1).readyMs)} ms`);
    }
    return {
      rounds: first.map((one, at) => ({ first: one, again: again[at] })),
      firstReadyMs: median(first.map(({ readyMs }) => readyMs)),
      readyMs: median(again.map(({ readyMs }) => readyMs)),
      rssMb: median([...first, ...again].map(({ rssMb }) => rssMb ?? NaN)),
    };
  },
  facts: ({ rssMb, firstReadyMs, readyMs }) => [
    `${shown(rssMb)} MB resident (service and sandbox gateway, without PostgreSQL); ready after ${shown(firstReadyMs)} ms on an empty directory, ${shown(readyMs)} ms with data.`,
  ],
};
