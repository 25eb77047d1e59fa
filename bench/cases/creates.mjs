// Payments created over HTTP, against a gateway that answers at once and one that takes a tenth of a second.
import { cpuMeter } from '../support/cpu.mjs';
import { emptyFloor, eventsAfter, insertOf, keysByStream, makeFloor } from '../support/floor-tables.mjs';
import { post } from '../support/http-load.mjs';
import { shown, summaryOf } from '../support/numbers.mjs';
import { allAnswered, caughtUp, check, lastEvent } from '../support/paid-callbacks.mjs';
import { apiKey, environmentFor, startGateway } from '../support/oxapay.mjs';
import { startService, startWorker } from '../support/processes.mjs';
import { postgresOf } from '../support/results.mjs';
import { alternate } from '../support/rounds.mjs';

const delays = [0, 100];

const create = (n) =>
  post('/v1/payments', JSON.stringify({ orderId: `bench-${n}`, amount: '49.90', currency: 'USD' }), {
    authorization: `Bearer ${apiKey}`,
  });

/** What each create wrote, as two statements: before the gateway is asked, and after it has answered. */
const floorTasks = async ({ service, floor }, after) => {
  const events = await eventsAfter(service.url, floor, after);
  const keys = await keysByStream(service.url, floor, events.keys());
  return [...events].map(([streamId, [requested, opened]]) => {
    const all = keys.get(streamId).map((row) => ['stream_key', row]);
    const tracks = all.filter(([, row]) => row.scope.startsWith('track:'));
    const claimed = all.filter((key) => !tracks.includes(key));
    return [insertOf(floor, [...claimed, ['event', requested]]), insertOf(floor, [...tracks, ['event', opened]])];
  });
};

const sidesOf = (context, { connections, perRound }) => {
  const { service, load, inserts, meter } = context;
  let [made, tasks] = [0, []];
  const product = async () => {
    const before = await lastEvent(service.url);
    const requests = Array.from({ length: perRound }, () => create(made++));
    const { sent, cpu } = await meter(service.pid, async () => {
      const answered = await load.run('sendAll', { port: service.port, connections, requests });
      await caughtUp(service.url);
      return { sent: answered, operations: perRound };
    });
    allAnswered('a create', sent.statuses, 201);
    tasks = await floorTasks(context, before);
    check('payments in the database', tasks.length, perRound);
    return { ...summaryOf(sent), cpu };
  };
  const floor = async () => {
    await emptyFloor(service.url);
    const { sent, cpu } = await meter(inserts.pid, async () => {
      const input = { url: service.url, connections: Math.min(64, connections), tasks };
      return { sent: await inserts.run('runTasks', input), operations: tasks.length };
    });
    return { ...summaryOf(sent), cpu };
  };
  return [
    { name: 'product', label: 'Finality', measure: product },
    { name: 'single', label: 'the same rows, two statements each', measure: floor },
  ];
};

/** The path is long: it takes some thousand requests until it is compiled. */
const warmUps = 3;

const measureAgainst = async (delayMs, { size, dataDirectory, say }) => {
  const gateway = await startGateway('gateway-double.mjs', { DELAY_MS: delayMs });
  const service = await startService(await dataDirectory(), environmentFor(gateway));
  const [load, inserts] = [startWorker(), startWorker()];
  const [floor, meter] = [await makeFloor(service.url), await cpuMeter(service.url)];
  const connections = delayMs === 0 ? 64 : 256;
  const title = `creates, gateway answers after ${delayMs} ms, ${connections} connections`;
  const sides = sidesOf({ service, load, inserts, floor, meter }, { connections, perRound: size(1500, 200) });
  const rounds = { rounds: size(5, 1), warmUps: size(warmUps, 1) };
  const measurement = await alternate({ title, sides, ...rounds, say });
  const [rssMb, postgres] = [await service.rssMb(), await postgresOf(service.url)];
  await Promise.all([load, inserts, service, gateway].map((process) => process.stop()));
  return { measurement: { delayMs, connections, rssMb, ...measurement }, postgres };
};

const run = async (bench) => {
  const results = [];
  for (const delayMs of delays) results.push(await measureAgainst(delayMs, bench));
  return { measurements: results.map(({ measurement }) => measurement), postgres: results[0].postgres };
};

const facts = ({ measurements }) =>
  measurements.map(
    ({ delayMs, connections, sides, rssMb }) =>
      `Gateway after ${delayMs} ms: ${connections} callers got ${shown(sides.product.perSecond)} payments a second, half of them within ${shown(sides.product.p50)} ms; ${shown(rssMb)} MB resident.`,
  );

export const creates = { name: 'creates', about: 'payments created, against a gateway of 0 and of 100 ms', default: true, run, facts }; // prettier-ignore
