// Runs the commands of the README's section "Your first payment", as they stand there, and looks whether the payment is
// fulfilled at the end. Prints one plain line at the end, `N passed, N failed`: one for each block of commands.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), 'finality-smoke-'));
const started = [];
let passed = 0;

/** The fenced bash blocks of one section of the README. */
const blocksOf = async (title) => {
  const readme = await readFile(join(root, 'README.md'), 'utf8');
  const section = readme.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? '';
  return [...section.matchAll(/^```bash\n(.*?)^```$/gms)].map((match) => match[1]);
};

/** The port that the README names, or a free one where something else listens there. */
const freePort = async (wanted) => {
  const server = createServer();
  const free = await new Promise((resolve) =>
    server.once('error', () => resolve(false)).listen(wanted, '127.0.0.1', () => resolve(true)),
  );
  if (!free) return freePort(0);
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
};

/** A stand-in for machines without curl, as far as the README uses it. */
const curl = `#!/usr/bin/env node
const words = process.argv.slice(2);
let url, method, body, headers = {};
while (words.length > 0) {
  const word = words.shift();
  if (word === '-H') { const [name, value] = words.shift().split(/: (.*)/); headers[name] = value; }
  else if (word === '-d') body = words.shift();
  else if (word === '-X') method = words.shift();
  else if (!word.startsWith('-')) url = word;
}
fetch('http://' + url, { method: method ?? (body ? 'POST' : 'GET'), headers, body }).then(async (answer) => process.stdout.write(await answer.text()));
`;

/** What every command sees: a data directory of its own, the ports, and a curl. */
const environment = async (ports) => {
  const env = {
    ...process.env,
    DATA_DIR: join(scratch, 'data'),
    LOG_LEVEL: 'warn',
    ...ports,
    FINALITY_URL: `http://localhost:${ports.PORT}`,
  };
  for (const name of ['API_KEY', 'DATABASE_URL', 'GATEWAY', 'HOST', 'PUBLIC_URL', 'NODE_OPTIONS']) delete env[name];
  if (spawnSync('curl', ['--version'], { stdio: 'ignore' }).status !== 0) {
    await writeFile(join(scratch, 'curl'), curl, { mode: 0o755 });
    env.PATH = scratch + delimiter + env.PATH;
  }
  return env;
};

/** Starts one block's command in the background; resolves once it has printed `sign`. */
const start = async (block, env, sign) => {
  const child = spawn('bash', ['-c', block], { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  started.push(child);
  let seen = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    process.stdout.write(chunk);
    seen += chunk;
    if (seen.includes(sign)) break;
  }
  if (!seen.includes(sign)) throw new Error(`"${block.trim()}" ended without saying "${sign}"`);
  child.stdout.on('data', (chunk) => process.stdout.write(chunk)).resume();
  passed += 1;
};

/** Runs the other blocks in one shell, as a reader would in one terminal; a block that fails ends it. */
const walk = async (blocks, env) => {
  const text = blocks.flatMap((block, at) => [block, `echo; echo "@block ${at + 1}"`]).join('\n');
  const child = spawn('bash', ['-euo', 'pipefail', '-c', text], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  started.push(child);
  let output = '';
  for await (const chunk of child.stdout) {
    process.stdout.write(chunk);
    output += chunk;
  }
  passed += output.match(/^@block /gm)?.length ?? 0;
  return output;
};

/** What a reader would look for in what the commands have printed. */
const expected = [
  '"status":"pending"',
  '"sentence":',
  '"fulfillment":"fulfilled"',
  '"status":"paid"',
  '"fulfillable":true',
  '"PaymentPaid"',
  'PaymentCorroborated',
];

const main = async () => {
  const blocks = await blocksOf('Your first payment');
  const ports = { PORT: await freePort(3000), SANDBOX_PORT: await freePort(3100), SHOP_PORT: await freePort(4000) };
  const env = await environment(ports);
  const moved = blocks.map((block) =>
    block
      .replaceAll('localhost:3000', `localhost:${ports.PORT}`)
      .replaceAll('localhost:3100', `localhost:${ports.SANDBOX_PORT}`),
  );
  const [service, shop, ...rest] = moved;
  if (rest.length < 3) throw new Error('the section "Your first payment" of the README has lost its commands');
  await start(service, env, 'Finality is ready');
  await start(shop, env, 'The shop waits');
  const output = await walk(rest, env);
  const refused = /"type":"urn:finality:problem[^"]*"/.exec(output)?.[0];
  if (refused) throw new Error(`a command was refused: ${refused}`);
  for (const text of expected) if (!output.includes(text)) throw new Error(`the commands never printed ${text}`);
  if (passed !== blocks.length) throw new Error(`only ${passed} of ${blocks.length} blocks ran to their end`);
};

const stop = async (child) => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  const kill = (signal) => {
    try {
      process.kill(child.spawnargs.includes('-euo') ? child.pid : -child.pid, signal);
    } catch {
      // It has ended meanwhile.
    }
  };
  kill('SIGTERM');
  const late = setTimeout(() => kill('SIGKILL'), 20_000);
  await ended;
  clearTimeout(late);
};

let failure = null;
const patience = setTimeout(() => {
  failure ??= new Error('the payment was not fulfilled within two minutes');
  for (const child of started) void stop(child);
}, 120_000);
try {
  await main();
} catch (error) {
  failure ??= error;
}
clearTimeout(patience);
if (failure) console.error(failure.message);
for (const child of started.reverse()) await stop(child);
await rm(scratch, { recursive: true, force: true });
console.log(`${passed} passed, ${failure ? 1 : 0} failed`);
process.exit(failure ? 1 : 0);
