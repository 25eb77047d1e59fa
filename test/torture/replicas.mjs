// The service's processes: started, killed without warning, started again.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync, closeSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exchange } from './http.mjs';

const program = fileURLToPath(new URL('service.mjs', import.meta.url));

export const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

export class Replicas {
  all = [];
  killed = 0;
  slowestStartMs = 0;
  turn = 0;

  /** `environment` is that of every process; each writes its log to a file of its own in `logs`. */
  constructor({ environment, logs, broken }) {
    Object.assign(this, { environment, logs, broken });
  }

  async add(count) {
    for (let at = 0; at < count; at += 1) this.all.push({ name: `service-${at + 1}`, port: await freePort() });
    await Promise.all(this.all.map((replica) => this.start(replica)));
  }

  /** The port of one that is ready, each in turn; of any where none is. */
  pick() {
    this.turn += 1;
    const ready = this.all.filter((replica) => replica.ready);
    const from = ready.length > 0 ? ready : this.all;
    return from[this.turn % from.length].port;
  }

  async start(replica) {
    const began = performance.now();
    const log = openSync(join(this.logs, `${replica.name}.log`), 'a');
    const env = { PATH: process.env.PATH, ...this.environment, PORT: String(replica.port) };
    const child = spawn(process.execPath, [program], { env, stdio: ['ignore', log, log] });
    closeSync(log);
    Object.assign(replica, { child, wanted: true, ready: false });
    child.once('exit', (code, signal) => {
      replica.ready = false;
      if (replica.wanted) this.broken('the service ended by itself', [`${replica.name}: ${code ?? signal}`]);
    });
    while (!(await this.isReady(replica))) {
      if (child.exitCode !== null) throw new Error(`${replica.name} ended during its start`);
      if (performance.now() - began > 30_000) throw new Error(`${replica.name} is not ready after 30 s`);
      await delay(20);
    }
    replica.ready = true;
    this.slowestStartMs = Math.max(this.slowestStartMs, performance.now() - began);
  }

  async isReady({ port }) {
    return (await exchange(port, '/health/ready', { timeoutMs: 2000 }))?.status === 200;
  }

  async kill(...replicas) {
    await Promise.all(
      replicas.map(async (replica) => {
        replica.wanted = false;
        replica.ready = false;
        this.killed += 1;
        const ended = once(replica.child, 'exit');
        replica.child.kill('SIGKILL');
        await ended;
      }),
    );
  }

  /** Tells all to stop and waits; resolves with their exit codes. */
  async stop() {
    const codes = this.all.map(async (replica) => {
      const { child } = replica;
      replica.wanted = false;
      if (!child || child.exitCode !== null || child.signalCode !== null) return null;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
      const [code, signal] = await ended;
      clearTimeout(late);
      return code ?? signal;
    });
    return await Promise.all(codes);
  }
}
