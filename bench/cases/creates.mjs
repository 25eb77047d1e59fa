// Payments created over HTTP, against a gateway that answers at once.
import { emptyFloorTables, grouped, insertOf, makeFloorTables, storedRows } from '../support/floor-tables.mjs';
import { post } from '../support/http-load.mjs';
import { median, percentile, perSecond } from '../support/numbers.mjs';
import { ask, freePort, startProgram, startService, startWorker } from '../support/processes.mjs';

const apiKey = 'bench-api-key-that-is-long-enough-0123456789';

/** This path is long: it takes some thousand requests until it is compiled. */
const warmUps = 3;

const startGateway = async () => {
  const port = await freePort();
  const program = await startProgram('bench/support/gateway-double.mjs', { PORT: port }, /ready/);
  return { ...program, port };
};

const environment = (gatewayPort) => ({
  GATEWAY: 'oxapay',
  OXAPAY_BASE_URL: `http://127.0.0.1:${gatewayPort}/v1`,
  OXAPAY_MERCHANT_API_KEY: 'BENCHK-EYMERC-HANTAA-000001',
  OXAPAY_PAYOUT_API_KEY: 'BENCHK-EYPAYO-UTAAAA-000001',
  API_KEY: apiKey,
  OPS_PASSWORD: 'bench-operators',
});

const create = (n) =>
  post('/v1/payments', JSON.stringify({ orderId: `bench-${n}`, amount: '49.90', currency: 'USD' }), {
    authorization: `Bearer ${apiKey}`,
  });

/** What each create wrote, as two statements: before the gateway is asked, and after it has answered. */
const floorTasks = async (url, after) => {
  const events = grouped(await storedRows(url, 'event', 'position > $1 order by stream_id, version', [after]));
  const keys = grouped(await storedRows(url, 'stream_key', 'stream_id = any($1)', [[...events.keys()]]));
  return [...events].map(([streamId, [requested, opened]]) => {
    const all = keys.get(streamId).map((row) => ['stream_key', row]);
    const tracks = all.filter(([, row]) => row.scope.startsWith('track:'));
    const claimed = all.filter((key) => !tracks.includes(key));
    return [insertOf([...claimed, ['event', requested]]), insertOf([...tracks, ['event', opened]])];
  });
};

const summary = ({ ms, times }) => ({
  perSecond: perSecond(times.length, ms),
  p50: percentile(times, 0.5),
  p99: percentile(times, 0.99),
});

const measureRound = async ({ service, load, inserts, connections }, requests) => {
  const [{ at }] = await ask(service.url, 'select coalesce(max(position), 0)::text as at from event');
  const product = await load.run('sendAll', { port: service.port, connections, requests });
  if (product.statuses.some((status) => status !== 201)) throw new Error('a create was not answered with 201');
  const tasks = await floorTasks(service.url, at);
  if (tasks.length !== requests.length)
    throw new Error(`${tasks.length} payments in the database for ${requests.length} creates`);
  await emptyFloorTables(service.url);
  const floor = await inserts.run('runTasks', { url: service.url, connections, tasks });
  return { product: summary(product), floor: summary(floor) };
};

export const measureCreates = async ({ dataDir, rounds, perRound, connections, say }) => {
  const gateway = await startGateway();
  const service = await startService(dataDir, environment(gateway.port));
  const [load, inserts] = [startWorker(), startWorker()];
  await makeFloorTables(service.url);
  const measured = [];
  for (let round = 1 - warmUps; round <= rounds; round++) {
    const requests = Array.from({ length: perRound }, (_, n) => create((round + warmUps) * perRound + n));
    const result = await measureRound({ service, load, inserts, connections }, requests);
    say(
      `creates: round ${round}: ${Math.round(result.product.perSecond)}/s, floor ${Math.round(result.floor.perSecond)}/s`,
    );
    if (round > 0) measured.push(result);
  }
  await Promise.all([load, inserts, service, gateway].map((process) => process.stop()));
  const of = (pick) => median(measured.map(pick));
  const side = (name) => ({
    perSecond: of((round) => round[name].perSecond),
    p50: of((round) => round[name].p50),
    p99: of((round) => round[name].p99),
  });
  return {
    rounds: measured,
    product: side('product'),
    floor: side('floor'),
    ratio: of((round) => round.product.perSecond / round.floor.perSecond),
  };
};
