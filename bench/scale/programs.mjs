// Programs that npm does not bring: found where Debian puts them, started in the foreground, ended with the run.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** The path of a program. Throws a sentence that says how to get it. */
export const programOf = (name) => {
  const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const found = places.map((place) => join(place, name)).find((path) => existsSync(path));
  if (found) return found;
  throw new Error(`${name} is not on this machine: apt-get install -y --no-install-recommends ${name}`);
};

const listens = (port) =>
  new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const end = (answer) => () => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', end(true));
    socket.once('error', end(false));
  });

/** Starts it and resolves when it listens. `account`: as whom, where it must not be root. */
export const startProgram = async (name, args, { port, account = {} }) => {
  const child = spawn(programOf(name), args, { ...account, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk) => (output = `${output}${chunk}`.slice(-20_000)));
  const ended = once(child, 'exit');
  const end = (signal) => async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  };
  for (const deadline = Date.now() + 10_000; !(await listens(port)); await delay(20)) {
    if (child.exitCode === null && Date.now() < deadline) continue;
    await end('SIGKILL')();
    throw new Error(`${name} does not listen on port ${port}: ${output}`);
  }
  return { pid: child.pid, output: () => output, stop: end('SIGTERM'), kill: end('SIGKILL') };
};

export const versionOf = (name, flag) =>
  new Promise((resolve) => {
    const child = spawn(programOf(name), [flag]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.once('exit', () => resolve(/\d+\.\d+(?:\.\d+)?/.exec(output)?.[0] ?? 'unknown'));
  });

const servers = (ports, rest) =>
  ports.map((port, at) => `  server s${at + 1} 127.0.0.1:${port} ${rest(at)}`).join('\n');

/** The proxy before the replicas. It sends again only what may be sent twice; what never left may always be. */
export const replicasConfig = ({ port, ports }) => `
global
  maxconn 4000
defaults
  mode http
  timeout connect 500ms
  timeout client 60s
  timeout server 60s
  timeout queue 5s
  timeout check 3s
frontend in
  bind 127.0.0.1:${port}
  default_backend finality
backend finality
  balance leastconn
  option httpchk GET /health/ready
  http-check expect status 200
  default-server inter 500ms fall 2 rise 1
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response response-timeout 503
  http-request disable-l7-retry unless METH_GET or { path_reg ^/v1/callbacks/ } or { req.hdr(idempotency-key) -m found }
${servers(ports, () => 'check')}
`;

/** The proxy that follows the primary: beside each server something tells which one leads, as Patroni's API does. */
export const primaryConfig = ({ port, ports, checkPorts }) => `
global
  maxconn 4000
defaults
  mode tcp
  timeout connect 500ms
  timeout client 1h
  timeout server 1h
listen primary
  bind 127.0.0.1:${port}
  option httpchk OPTIONS /primary
  http-check expect status 200
  default-server inter 200ms fall 2 rise 1 on-marked-down shutdown-sessions
${servers(ports, (at) => `check port ${checkPorts[at]}`)}
`;

export const startHaproxy = async (directory, { port, config, name = 'haproxy' }) => {
  const file = join(directory, `${name}.cfg`);
  await writeFile(file, config);
  return startProgram('haproxy', ['-db', '-f', file], { port });
};
