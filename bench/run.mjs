// `npm run bench`: measures the built service beside its yardsticks, and keeps what came of it in bench/results.json, one
// entry a case. Arguments name cases; without any, the default ones run. `--quick`: small sizes, kept apart. `report`:
// writes the results into bench/README.md.
import { append } from './cases/append.mjs';
import { callbacks } from './cases/callbacks.mjs';
import { creates } from './cases/creates.mjs';
import { growth } from './cases/growth.mjs';
import { idle } from './cases/idle.mjs';
import { reads } from './cases/reads.mjs';
import { reconcile } from './cases/reconcile.mjs';
import { replay } from './cases/replay.mjs';
import { streams } from './cases/streams.mjs';
import { takeover } from './cases/takeover.mjs';
import { verify } from './cases/verify.mjs';
import { webhooks } from './cases/webhooks.mjs';
import { whatIf } from './cases/what-if.mjs';
import { cleanUp, dataDirectory } from './support/processes.mjs';
import { report, sectionOf } from './support/report.mjs';
import { load, machine, mergeResult, placesOf } from './support/results.mjs';

// Quiet things first: a machine that has just worked hard still writes to its disk.
const cases = [
  idle,
  callbacks,
  append,
  creates,
  reads,
  replay,
  reconcile,
  webhooks,
  streams,
  takeover,
  verify,
  whatIf,
  growth,
];

const words = process.argv.slice(2);
const quick = words.includes('--quick');
const names = words.filter((word) => word !== '--quick');
const places = placesOf(quick);
const say = (line) => process.stderr.write(`  ${line}\n`);

/** `size(full, quick)` is how a case says how much it does. */
const context = () => ({ quick, size: (full, small) => (quick ? small : full), dataDirectory, say });

const runCase = async (benchCase) => {
  const startedAt = new Date().toISOString();
  const [began, loadBefore] = [performance.now(), load()];
  try {
    const result = await benchCase.run(context());
    const facts = { startedAt, quick, tookSeconds: (performance.now() - began) / 1000, machine: machine() };
    const entry = { ...facts, loadBefore, loadAfter: load(), ...result };
    await mergeResult(places, benchCase.name, entry);
    console.log(`\n${sectionOf(benchCase, entry)}\n`);
  } finally {
    await cleanUp();
  }
};

const chosen = () => {
  if (names.length === 0) return cases.filter((each) => each.default);
  return names.map((name) => {
    const found = cases.find((each) => each.name === name);
    if (found) return found;
    const list = cases.map((each) => `  ${each.name.padEnd(10)} ${each.about}${each.default ? '' : ' (by name only)'}`);
    throw new Error(`there is no case "${name}"; there are\n${list.join('\n')}`);
  });
};

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => cleanUp().then(() => process.exit(1)));

if (names[0] === 'scale') await import('./scale/run.mjs');
else if (names[0] === 'report') await report(cases, places);
else for (const benchCase of chosen()) await runCase(benchCase);
