import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from './service.js';

/** The server's program, where this machine has it (Debian: `apt-get install nats-server`); no npm package brings it. */
export const natsProgram: string | null =
  [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
    .map((directory) => join(directory, 'nats-server'))
    .find((path) => existsSync(path)) ?? null;

/** A NATS server with JetStream, for one test file. */
export interface NatsServer {
  url: string;
  start(): Promise<void>;
  /** As a crash would: SIGKILL. */
  kill(): Promise<void>;
  /** Kills it and removes its files. */
  remove(): Promise<void>;
}

export async function natsServer(program: string): Promise<NatsServer> {
  const directory = await mkdtemp(join(tmpdir(), 'finality-nats-'));
  const port = await freePort();
  let end: (() => Promise<void>) | null = null;
  const kill = async (): Promise<void> => {
    await end?.();
    end = null;
  };
  const start = async (): Promise<void> => {
    const args = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', directory];
    const child = spawn(program, args, { stdio: 'ignore' });
    const ended = once(child, 'exit');
    end = async () => {
      child.kill('SIGKILL');
      await ended;
    };
    for (const deadline = Date.now() + 10_000; !(await listens(port)); await delay(20))
      if (Date.now() > deadline || child.exitCode !== null) throw new Error('nats-server did not start');
  };
  return {
    url: `nats://127.0.0.1:${String(port)}`,
    start,
    kill,
    remove: async () => {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

const listens = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
