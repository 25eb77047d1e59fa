// Webhooks to ten endpoints, one of which takes everything and never answers.
import { cpuMeter } from '../support/cpu.mjs';
import { shown } from '../support/numbers.mjs';
import { caughtUp, openPayments } from '../support/paid-callbacks.mjs';
import { ask, sandboxCredentials, startProgram, startService, startWorker } from '../support/processes.mjs';
import { postgresOf } from '../support/results.mjs';

const receivers = 10;
const limitMs = 600_000;

const startReceivers = async () => {
  const program = await startProgram('bench/support/webhook-receivers.mjs', { RECEIVERS: receivers }, /ready/);
  return { ...program, ports: JSON.parse(program.output().split('\n')[0]) };
};

const register = async ({ port }, { apiKey, path }) => {
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ url: path });
  const answer = await fetch(`http://127.0.0.1:${port}/v1/webhook-endpoints`, { method: 'POST', headers, body });
  if (!answer.ok) throw new Error(`an endpoint was answered with ${answer.status}: ${await answer.text()}`);
  return (await answer.json()).id;
};

/** Deliveries to endpoints that live: how many there are, and how many are done. */
const deliveries = (url, dead) =>
  ask(
    url,
    `select count(*)::int as made, count(*) filter (where status = 'delivered')::int as delivered,
      extract(epoch from max(ended_at) - min(created_at)) as seconds,
      percentile_cont(array[0.5, 0.99]) within group (order by extract(epoch from ended_at - created_at)) as waits
     from webhook_delivery where endpoint_id <> $1`,
    [dead],
  );

const allDelivered = async (url, dead, say) => {
  const began = performance.now();
  for (let said = 0; ; await new Promise((resolve) => setTimeout(resolve, 200))) {
    const [state] = await deliveries(url, dead);
    if (state.made > 0 && state.delivered === state.made) return state;
    if (performance.now() - began > limitMs) throw new Error(`${state.delivered} of ${state.made} webhooks delivered`);
    if (performance.now() - began > said + 10_000) say(`webhooks: ${state.delivered} of ${state.made}`);
    said = Math.floor((performance.now() - began) / 10_000) * 10_000;
  }
};

const run = async ({ size, dataDirectory, say }) => {
  const dataDir = await dataDirectory();
  const [service, load, hooks] = [await startService(dataDir, { GATEWAY: 'sandbox' }), startWorker(), await startReceivers()]; // prettier-ignore
  const { apiKey } = await sandboxCredentials(dataDir);
  const { url } = service;
  await ask(url, 'delete from webhook_endpoint');
  const ids = [];
  for (const port of hooks.ports) ids.push(await register(service, { apiKey, path: `http://127.0.0.1:${port}/hooks` }));
  const meter = await cpuMeter(url);
  const payments = size(1000, 50);
  const { state, cpu } = await meter(service.pid, async () => {
    await openPayments(service, { apiKey, count: payments, load });
    await caughtUp(url);
    const done = await allDelivered(url, ids.at(-1), say);
    return { state: done, operations: done.delivered };
  });
  const { counts, distinct } = await (await fetch(`http://127.0.0.1:${hooks.ports[0]}/counts`)).json();
  const [rssMb, postgres] = [await service.rssMb(), await postgresOf(url)];
  await Promise.all([load, service, hooks].map((process) => process.stop()));
  const seconds = Number(state.seconds);
  const [p50, p99] = state.waits.map((wait) => Number(wait) * 1000);
  return { payments, receivers, delivered: state.delivered, seconds, perSecond: state.delivered / seconds, p50, p99, counts, distinct, cpu, rssMb, postgres }; // prettier-ignore
};

const facts = ({ payments, delivered, seconds, perSecond, p50, p99, counts, distinct, cpu, rssMb }) => [
  `${payments} payments created at once, ${delivered} deliveries to nine endpoints that live in ${shown(seconds)} s: ${shown(perSecond)} deliveries a second while the tenth endpoint takes every request and never answers (${counts.at(-1)} attempts at it). From the outbox to the answer p50 ${shown(p50)}, p99 ${shown(p99)} ms; CPU ${shown(cpu.process)} ms of the service and ${shown(cpu.postgres)} ms of PostgreSQL a delivery, creates included; ${shown(rssMb)} MB resident.`,
  `Received more than once: ${counts.slice(0, -1).reduce((sum, n, at) => sum + n - distinct[at], 0)}.`,
];

export const webhooks = { name: 'webhooks', about: 'webhooks, one of ten endpoints dead', default: true, run, facts };
