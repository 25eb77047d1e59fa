// A generated past decided anew by another policy, by the command that operators use, in a process of its own; twice.
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { perSecond, shown } from '../support/numbers.mjs';
import { ask, startDatabase, startService, startWorker } from '../support/processes.mjs';

const execute = promisify(execFile);

/** What the generator's kinds come to if one percent may be missing and late money is accepted. */
const policy = {
  underpayment: { tolerancePercent: '1.5', then: 'reject' },
  latePayment: { window: 'PT72H', then: 'accept' },
};

const run = async ({ size, dataDirectory, say }) => {
  const [dataDir, events] = [await dataDirectory(), size(1_000_000, 10_000)];
  // A start of the service makes the tables and the application.
  const service = await startService(dataDir);
  await service.stop();
  const database = await startDatabase(dataDir);
  const [{ id: application }] = await ask(database.url, `select id from application where name = 'default'`);
  const worker = startWorker();
  const began = performance.now();
  const past = await worker.run('writeHistory', { url: database.url, events, application });
  await worker.stop();
  say(
    `what-if: ${past.payments} payments of ${past.events} events written in ${Math.round((performance.now() - began) / 1000)} s`,
  );
  const file = join(dataDir, 'policy.json');
  await writeFile(file, JSON.stringify(policy));
  const simulate = async () => {
    const from = performance.now();
    const args = ['dist/cli.js', 'policy', 'simulate', 'default', '--with', file, '--limit', '0', '--json'];
    const env = { PATH: process.env.PATH, DATABASE_URL: database.url, DATA_DIR: dataDir };
    const { stdout } = await execute(process.execPath, args, { env, maxBuffer: 2 ** 26 });
    const answer = JSON.parse(stdout);
    delete answer.decidedAt;
    return { seconds: (performance.now() - from) / 1000, answer };
  };
  const rounds = [await simulate(), await simulate()];
  const [first, second] = rounds.map(({ answer }) => JSON.stringify(answer));
  if (first !== second) throw new Error('two simulations of the same past came to different numbers');
  const { answer } = rounds[0];
  if (answer.events !== past.events) throw new Error(`${answer.events} of ${past.events} events were decided anew`);
  const seconds = rounds.map((round) => round.seconds);
  say(
    `what-if: ${seconds.map((s) => s.toFixed(1)).join(' s and ')} s, ${answer.differing} of ${answer.payments} payments differ`,
  );
  await database.stop();
  return {
    ...past,
    seconds,
    differing: answer.differing,
    transitions: answer.transitions,
    product: { perSecond: perSecond(past.events, Math.min(...seconds) * 1000) },
  };
};

const facts = ({ payments, events, seconds, product, differing }) => [
  `${payments} payments of ${events} events decided anew by \`policy simulate\` in ${seconds.map((s) => s.toFixed(1)).join(' s and ')} s, ${shown(product.perSecond)} events/s, the same numbers twice; ${differing} would stand differently.`,
];

export const whatIf = {
  name: 'what-if',
  about: '`policy simulate` over a million events',
  default: false,
  run,
  facts,
};
