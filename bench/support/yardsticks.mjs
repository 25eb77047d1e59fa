// What the product is measured against and does not depend on: a package of its own, installed when a case first needs it.
import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort, startProgram, startWorker } from './processes.mjs';

const directory = fileURLToPath(new URL('../yardsticks/', import.meta.url));

/** Installs the yardsticks' packages where they are missing. */
export const installYardsticks = async (say) => {
  const marker = `${directory}node_modules/.package-lock.json`;
  if (await access(marker).then(() => true, () => false)) return; // prettier-ignore
  say('installing the yardsticks (once)');
  await promisify(execFile)('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: directory });
};

/** A process that runs jobs of the yardsticks. */
export const startYardstickWorker = () => startWorker(new URL('../yardsticks/worker.mjs', import.meta.url));

const startHandler = async (program, environment) => {
  const port = await freePort();
  return { ...(await startProgram(program, { PORT: port, ...environment }, /ready/)), port };
};

const keysOf = ({ merchantKey, payoutKey }) => ({ MERCHANT_KEY: merchantKey, PAYOUT_KEY: payoutKey });

/** An empty Nest/Fastify route that checks the signature. */
export const startSignatureOnly = (credentials) =>
  startHandler('bench/support/signature-only.mjs', keysOf(credentials));

/** An empty Nest/Fastify route that answers so many bytes of JSON to any GET. */
export const startConstant = (body) => startHandler('bench/support/constant-answer.mjs', { BODY: body });

/** The handler that most people write: Nest on Express, TypeORM, a table of what was seen. */
export const startNestTypeorm = (credentials, url) =>
  startHandler('bench/yardsticks/nest-typeorm.mjs', { ...keysOf(credentials), DATABASE_URL: url });

/** A Nest controller that appends these events by emmett. */
export const startNestEmmett = (credentials, url, events) =>
  startHandler('bench/yardsticks/nest-emmett.mjs', {
    ...keysOf(credentials),
    DATABASE_URL: url,
    EVENTS: JSON.stringify(events),
  });
