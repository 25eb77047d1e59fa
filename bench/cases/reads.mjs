// Payments read over HTTP: one by id, and lists.
import { cpuMeter } from '../support/cpu.mjs';
import { get } from '../support/http-load.mjs';
import { shown, summaryOf } from '../support/numbers.mjs';
import { allAnswered, caughtUp, openPayments } from '../support/paid-callbacks.mjs';
import { latencyPlot } from '../support/plot.mjs';
import { ask, startWorker } from '../support/processes.mjs';
import { apiKey, startWithSandbox } from '../support/oxapay.mjs';
import { postgresOf } from '../support/results.mjs';
import { alternate } from '../support/rounds.mjs';
import { startConstant } from '../support/yardsticks.mjs';

const connections = 64;

const kinds = (payments, size) => [
  { name: 'one', title: 'GET payment by id', count: size(6000, 300), path: (n) => `/v1/payments/${payments[n % payments.length].id}` }, // prettier-ignore
  { name: 'list', title: 'list, 20 of one status', count: size(1500, 100), path: () => '/v1/payments?status=pending' },
  { name: 'search', title: 'list, 20 found by a part of the order id', count: size(1500, 100), path: (n) => `/v1/payments?q=bench-${n % 100}` }, // prettier-ignore
];

/** A route of the same framework that answers what the service has answered, without having looked for it. */
const constantOf = async (service, request) => {
  const { body } = await sampleOf(service, request);
  return startConstant(body);
};

const sampleOf = async ({ port, load }, request) => {
  const { statuses, bodies } = await load.run('sendAll', {
    port,
    connections: 1,
    requests: [request],
    keepBodies: true,
  });
  allAnswered('a read', statuses, 200);
  return { body: bodies[0] };
};

const measure = async (context, { title, count, path }, { size, say }) => {
  const { service, load, meter, headers } = context;
  const requests = Array.from({ length: count }, (_, n) => get(path(n * 7), headers));
  const constant = await constantOf({ port: service.port, load }, requests[0]);
  const side = (name, label, target) => ({
    name,
    label,
    measure: async () => {
      const { sent, cpu } = await meter(target.pid, async () => ({
        sent: await load.run('sendAll', { port: target.port, connections, requests }),
        operations: count,
      }));
      allAnswered(label, sent.statuses, 200);
      return { ...summaryOf(sent), cpu };
    },
  });
  const sides = [side('product', 'Finality', service), side('constant', 'the same answer, always', constant)];
  const measurement = await alternate({ title, sides, rounds: size(5, 1), warmUps: 2, say });
  await constant.stop();
  return measurement;
};

const run = async (bench) => {
  const { size, dataDirectory } = bench;
  const dataDir = await dataDirectory();
  const [service, load] = [await startWithSandbox(dataDir), startWorker()];
  const payments = await openPayments(service, { apiKey, count: size(5000, 200), load });
  await caughtUp(service.url);
  // As the server itself does within a minute: a plan for a table that it knows nothing of is a guess.
  await ask(service.url, 'analyze');
  const context = { service, load, meter: await cpuMeter(service.url), headers: { authorization: `Bearer ${apiKey}` } };
  const measurements = [];
  for (const kind of kinds(payments, size)) measurements.push(await measure(context, kind, bench));
  const [rssMb, postgres] = [await service.rssMb(), await postgresOf(service.url)];
  await Promise.all([load, service].map((process) => process.stop()));
  return { measurements, payments: payments.length, rssMb, postgres };
};

const facts = ({ payments, rssMb, measurements: [one] }) => [
  `${payments} payments in the store, ${connections} connections, ${shown(rssMb)} MB resident. GET by id: ${shown(one.sides.product.perSecond)} a second (asked for: at least 4,000).`,
];

const plots = ({ measurements: [one] }) => [
  {
    file: 'reads.svg',
    title: 'Time of a GET by id',
    svg: latencyPlot(`Time of a GET by id, ${connections} callers who all wait`, Object.values(one.sides)),
  },
];

export const reads = {
  name: 'reads',
  about: 'payments read over HTTP, by id and in lists',
  default: true,
  run,
  facts,
  plots,
};
