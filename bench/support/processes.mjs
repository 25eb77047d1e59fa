// Starting, asking and stopping the processes of a benchmark. Nothing that is started here outlives the run.
import { fork, spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import {
  findRunningEmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../dist/platform/database/embedded-postgres.pg.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const running = new Set();
const directories = new Set();

/** A port of 127.0.0.1 that is free now. */
export const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export const dataDirectory = async () => {
  const directory = await mkdtemp(join(tmpdir(), 'finality-bench-'));
  directories.add(directory);
  await chmod(directory, 0o755);
  return directory;
};

const ended = (child) =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', resolve));

const stop = async (child) => {
  child.kill('SIGTERM');
  const limit = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await ended(child);
  clearTimeout(limit);
  running.delete(child);
};

/** A process that runs the jobs of a program (`worker.mjs` where none is named), one at a time. */
export const startWorker = (program = new URL('worker.mjs', import.meta.url)) => {
  const child = fork(program, { serialization: 'advanced' });
  running.add(child);
  const run = (job, input) =>
    new Promise((resolve, reject) => {
      const answer = (message) => {
        child.off('exit', gone);
        if (message.error) reject(new Error(message.error));
        else resolve(message.result);
      };
      const gone = () => reject(new Error(`the worker ended during ${job}`));
      child.once('message', answer);
      child.once('exit', gone);
      child.send({ job, input });
    });
  return { pid: child.pid, run, stop: () => stop(child) };
};

/** Starts a Node program and resolves once it has printed what `ready` matches, or `ready`, a question, is answered yes. */
export const startProgram = async (program, environment, ready) => {
  const began = performance.now();
  const flags = (process.env.BENCH_NODE_FLAGS ?? '--max-semi-space-size=32').split(' ').filter(Boolean);
  const child = spawn(process.execPath, [...flags, program], {
    cwd: root,
    env: { PATH: process.env.PATH, NODE_ENV: 'production', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  let output = '';
  await new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}: ${output}`)));
    child.stdout.on('data', (chunk) => {
      if (output.length < 100_000) output += chunk;
      if (ready instanceof RegExp && ready.test(output)) resolve();
    });
    if (typeof ready === 'function') answeredYes(ready, child).then(resolve, reject);
  });
  return { pid: child.pid, output: () => output, readyMs: performance.now() - began, stop: () => stop(child) };
};

const readyAfterMs = 10;

const answeredYes = async (question, child) => {
  while (child.exitCode === null && child.signalCode === null) {
    if (await question().catch(() => false)) return;
    await new Promise((resolve) => setTimeout(resolve, readyAfterMs));
  }
};

/** The service as an operator starts it, on an embedded PostgreSQL of its own where no other is named. */
export const startService = async (dataDir, environment = {}) => {
  const [port, sandboxPort] = [await freePort(), await freePort()];
  const settings = {
    PORT: port,
    SANDBOX_PORT: sandboxPort,
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    DATA_DIR: dataDir,
    LOG_LEVEL: 'error',
    RATE_LIMIT_PER_MINUTE: 100_000_000,
  };
  const isReady = async () => (await fetch(`http://127.0.0.1:${port}/health/ready`)).ok;
  const service = await startProgram('dist/main.js', { ...settings, ...environment }, isReady);
  const url = environment.DATABASE_URL ?? (await findRunningEmbeddedPostgres(dataDir));
  return { ...service, port, sandboxPort, url, rssMb: () => residentMb(service.pid) };
};

/** What `startService` made up for itself with the sandbox gateway. */
export const sandboxCredentials = async (dataDir) =>
  JSON.parse(await readFile(join(dataDir, 'sandbox-credentials.json'), 'utf8'));

/** The database of a service that has stopped. */
export const startDatabase = (dataDir) => startEmbeddedPostgres({ dataDir, database: 'finality' });

const residentMb = async (pid) => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  const kb = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
  return kb === undefined ? null : Number(kb) / 1024;
};

/** Asks the database one question on a connection of its own. */
export const ask = async (url, text, values = []) => {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text, values)).rows;
  } finally {
    await client.end();
  }
};

/** The URL of another database on the same server, made anew; a copy of `template` where that is given. */
export const freshDatabase = async (url, name, template = 'template1') => {
  await ask(url, `drop database if exists ${name}`);
  await ask(url, `create database ${name} template ${template}`);
  const other = new URL(url);
  other.pathname = `/${name}`;
  return other.href;
};

/** Ends what is left and removes the data. */
export const cleanUp = async () => {
  await Promise.allSettled([...running].map(stop));
  for (const directory of directories) {
    const left = await findRunningEmbeddedPostgres(directory).catch(() => null);
    if (left) await (await startDatabase(directory)).stop();
    await rm(directory, { recursive: true, force: true });
  }
  directories.clear();
};
