// Open status pages: what 5,000 live streams take while nothing happens, and how soon they tell of a commit.
import net from 'node:net';
import { cpuMs } from '../support/cpu.mjs';
import { percentile, shown } from '../support/numbers.mjs';
import { apiKey, startWithSandbox } from '../support/oxapay.mjs';
import { postgresOf } from '../support/results.mjs';

const openPerPayment = 4;
/** Connections that are opened at the same time. */
const atOnce = 50;
const settleMs = 3000;

/** Does `work` for each item, some at a time. */
const inTurns = async (items, together, work) => {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: together }, worker));
};

const cpuSeconds = async (pid) => (await cpuMs(pid)) / 1000;

/** Reads a stream on a connection of its own; resolves with its first event, and notes when each version came. */
const watch = (port, path) =>
  new Promise((resolve, reject) => {
    const stream = { told: new Map(), socket: net.connect({ port, host: '127.0.0.1', noDelay: true }) };
    let bytes = '';
    stream.socket.write(`GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`);
    stream.socket.setEncoding('latin1').on('data', (text) => {
      const at = performance.now();
      bytes = bytes.slice(-20) + text;
      for (const [, version] of bytes.matchAll(/\nid: (\d+)\n/g))
        if (!stream.told.has(version)) stream.told.set(version, at);
      if (stream.told.size > 0) resolve(stream);
    });
    stream.socket.on('error', reject);
    stream.socket.on('close', () => reject(new Error(`a stream ended: ${bytes.slice(0, 200)}`)));
  });

const openPayments = async (service, count) => {
  const call = async (path, body) => {
    const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
    const answer = await fetch(`http://127.0.0.1:${service.port}${path}`, {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path} was answered with ${answer.status}: ${await answer.text()}`);
    return answer.json();
  };
  const payments = [];
  await inTurns(Array.from({ length: count }).keys(), 16, async (n) => {
    payments.push(await call('/v1/payments', { orderId: `bench-${n}`, amount: '49.90', currency: 'USD' }));
  });
  return { payments, cancel: ({ id }) => call(`/v1/payments/${id}/cancel`, {}) };
};

const summary = (times) => ({
  p50: percentile(times, 0.5),
  p95: percentile(times, 0.95),
  p99: percentile(times, 0.99),
  max: Math.max(...times),
});

/** Cancels payments, some at a time; how long after the request each of their streams told of it, and the answer came. */
const measureCommits = async (watched, cancel, together) => {
  const [told, answered] = [[], []];
  await inTurns(watched, together, async ({ payment, streams }) => {
    const began = performance.now();
    const { version } = await cancel(payment);
    answered.push(performance.now() - began);
    for (const { told: versions } of streams) {
      while (!versions.has(String(version))) await new Promise((resolve) => setTimeout(resolve, 5));
      told.push(versions.get(String(version)) - began);
    }
  });
  return { told: summary(told), answered: summary(answered) };
};

const run = async ({ size, dataDirectory, say }) => {
  const [dataDir, streams, commits, restMs] = [
    await dataDirectory(),
    size(5000, 200),
    size(200, 20),
    size(30_000, 2000),
  ];
  const service = await startWithSandbox(dataDir);
  const { payments, cancel } = await openPayments(service, streams / openPerPayment);
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const [rssBeforeMb, restBefore] = [await service.rssMb(), await cpuSeconds(service.pid)];
  await new Promise((resolve) => setTimeout(resolve, restMs));
  const restCpu = (await cpuSeconds(service.pid)) - restBefore;
  const watched = payments.map((payment) => ({ payment, streams: [] }));
  const began = performance.now();
  await inTurns(
    watched.flatMap((entry) => Array.from({ length: openPerPayment }, () => entry)),
    atOnce,
    async ({ payment, streams: own }) =>
      own.push(await watch(service.port, `${new URL(payment.statusUrl).pathname}/events`)),
  );
  const openedMs = performance.now() - began;
  say(`streams: ${streams} opened in ${Math.round(openedMs)} ms`);
  await new Promise((resolve) => setTimeout(resolve, settleMs));
  const [rssMb, openBefore] = [await service.rssMb(), await cpuSeconds(service.pid)];
  await new Promise((resolve) => setTimeout(resolve, restMs));
  const openCpu = (await cpuSeconds(service.pid)) - openBefore;
  const alone = await measureCommits(watched.slice(0, commits), cancel, 1);
  say(`streams: told ${Math.round(alone.told.p50)} ms after the request, one at a time`);
  const together = await measureCommits(watched.slice(commits, 2 * commits), cancel, 16);
  say(`streams: told ${Math.round(together.told.p50)} ms after the request, 16 at a time`);
  for (const { socket } of watched.flatMap((entry) => entry.streams)) socket.removeAllListeners('close');
  const postgres = await postgresOf(service.url);
  const stopping = performance.now();
  await service.stop();
  return {
    streams,
    openedMs,
    rssMb,
    rssWithoutMb: rssBeforeMb,
    cpuShare: openCpu / (restMs / 1000),
    cpuShareWithout: restCpu / (restMs / 1000),
    alone,
    together,
    stoppedMs: performance.now() - stopping,
    postgres,
  };
};

const facts = ({
  streams: open,
  openedMs,
  rssMb,
  rssWithoutMb,
  cpuShare,
  cpuShareWithout,
  alone,
  together,
  stoppedMs,
}) => {
  const told = ({ told: t, answered }) =>
    `p50 ${shown(t.p50)}, p95 ${shown(t.p95)}, p99 ${shown(t.p99)}, max ${shown(t.max)} ms (the answer itself: p50 ${shown(answered.p50)}, p99 ${shown(answered.p99)})`;
  return [
    `${open} status pages open: opened in ${shown(openedMs)} ms, ${shown(rssMb)} MB resident (${shown(rssWithoutMb)} MB before them), ${shown(cpuShare * 100)} % of a core while nothing happens (${shown(cpuShareWithout * 100)} % without them); stopped in ${shown(stoppedMs)} ms.`,
    `From the request to cancel until each stream of the payment has told of it, one at a time: ${told(alone)}.`,
    `With 16 at a time: ${told(together)}. Asked for: p99 at most 250 ms.`,
  ];
};

export const streams = { name: 'streams', about: '5,000 live status pages', default: true, run, facts };
