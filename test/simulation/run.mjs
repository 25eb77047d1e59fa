// The seeded simulation of the whole service: `npm run simulate -- --seeds N [--seed S] [--mutant name] [--mutants]`.
// Ends with one plain line; fails where a promise was broken, a planted fault was not found or a fault never struck.
import { fork } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { canary, mutants } from './mutants.mjs';

const options = parseArgs({
  options: {
    seeds: { type: 'string', default: '2000' },
    seed: { type: 'string' },
    mutant: { type: 'string' },
    mutants: { type: 'boolean', default: false },
    from: { type: 'string', default: '1' },
  },
}).values;

const workerFile = fileURLToPath(new URL('./worker.mjs', import.meta.url));
const repeats = 50;
const shownLines = 200;

/** A process that runs one seed at a time. */
class Worker {
  constructor(mutant) {
    this.child = fork(workerFile, [mutant ?? ''], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.ready = this.next();
  }

  next() {
    return new Promise((resolve, reject) => {
      const ended = (code) => reject(new Error(`a process of the simulation ended with ${code}`));
      this.child.once('exit', ended);
      this.child.once('message', (message) => {
        this.child.off('exit', ended);
        resolve(message);
      });
    });
  }

  async run(seed, traced = false) {
    await this.ready;
    const answer = this.next();
    this.child.send({ seed, traced });
    return answer;
  }

  end() {
    this.child.kill('SIGKILL');
  }
}

/** Runs seeds in some processes at once until all are done or `isOver`. */
const runSeeds = async (mutant, seeds, processes, each) => {
  const left = seeds.values();
  const work = async () => {
    const worker = new Worker(mutant);
    try {
      for (const seed of left) if (each(await worker.run(seed)) === 'stop') break;
    } finally {
      worker.end();
    }
  };
  await Promise.all(Array.from({ length: processes }, work));
};

const range = (from, count) => Array.from({ length: count }, (_, n) => from + n);

/** The last lines about a payment, and what befell the processes since some of them. */
const linesOf = (trace, about) => {
  if (about === null) return trace.slice(-shownLines);
  const mine = trace.filter((line) => line.about === about).slice(-shownLines);
  const shared = trace.filter((line) => line.about === null).slice(-shownLines / 4);
  const shown = new Set([...mine, ...shared]);
  return trace.filter((line) => shown.has(line));
};

/** Tells all that there is to know of a seed that failed. */
const explain = async (seed, mutant) => {
  const worker = new Worker(mutant);
  const { violation, trace, table } = await worker.run(seed, true);
  worker.end();
  console.log(`\nseed ${seed}${mutant ? ` with ${mutant}` : ''}: ${violation ? violation.message : 'no violation'}`);
  console.log(table.join('\n'));
  const lines = violation ? linesOf(trace, violation.about) : trace;
  console.log(lines.map(({ text, about }) => `${text}${about ? `  (${about.slice(-6)})` : ''}`).join('\n'));
  console.log(`\nAgain: npm run simulate -- --seed ${seed}${mutant ? ` --mutant ${mutant}` : ''}`);
  return violation;
};

/** The first seed that finds a planted fault; null where none does. */
const hunt = async (name, bound, processes = 1) => {
  let caught = null;
  await runSeeds(name, range(1, bound), processes, ({ seed, violation }) => {
    if (violation && (caught === null || seed < caught.seed)) caught = { seed, ...violation };
    return caught ? 'stop' : 'go on';
  });
  return caught;
};

const mutantBound = 400;

const runMutants = async () => {
  const names = Object.keys(mutants);
  const rows = new Map();
  const left = names.values();
  const work = async () => {
    for (const name of left) {
      const caught = await hunt(name, mutantBound);
      rows.set(name, caught);
      const text = caught
        ? `seed ${caught.seed}, by ${caught.invariant}: ${caught.message.split('\n')[0].replace(`${caught.invariant}: `, '')}`
        : `NOT FOUND in ${mutantBound} seeds`;
      console.log(`${name.padEnd(28)} ${mutants[name].about}\n${''.padEnd(28)} ${text}`);
    }
  };
  await Promise.all([work(), work()]);
  const found = names.filter((name) => rows.get(name)).length;
  console.log(`mutants caught ${found}/${names.length}`);
  return found === names.length;
};

const main = async () => {
  const began = performance.now();
  if (options.mutants) return runMutants();
  if (options.seed) return (await explain(Number(options.seed), options.mutant ?? null)) === null;
  if (options.mutant) {
    const caught = await hunt(options.mutant, Number(options.seeds), 2);
    if (caught) await explain(caught.seed, options.mutant);
    console.log(
      caught ? `caught at seed ${caught.seed} by ${caught.invariant}` : `not found in ${options.seeds} seeds`,
    );
    return caught !== null;
  }
  const total = { steps: 0, virtual: 0, struck: new Map(), hashes: new Map(), failed: [] };
  const count = Number(options.seeds);
  const from = Number(options.from);
  const processes = Math.min(4, Math.max(1, availableParallelism()));
  await runSeeds(null, range(from, count), processes, (outcome) => {
    total.steps += outcome.steps;
    total.virtual += outcome.virtual;
    total.hashes.set(outcome.seed, `${outcome.hash} ${outcome.steps}`);
    for (const [name, times] of Object.entries(outcome.struck))
      total.struck.set(name, (total.struck.get(name) ?? 0) + times);
    if (outcome.violation) {
      total.failed.push({ seed: outcome.seed, ...outcome.violation });
      console.log(`seed ${outcome.seed}: ${outcome.violation.message}`);
    }
    return total.failed.length >= 10 ? 'stop' : 'go on';
  });
  return report(total, count, from, began);
};

const report = async (total, count, from, began) => {
  const unlike = [];
  if (total.failed.length === 0)
    await runSeeds(null, range(from, Math.min(repeats, count)).reverse(), 2, ({ seed, hash, steps }) => {
      if (total.hashes.get(seed) !== `${hash} ${steps}`) unlike.push(seed);
    });
  const caught = await hunt(canary, 50);
  const { allFaults, crashPoints, sights } = JSON.parse(await facts());
  const crashes = crashPoints.map((point) => `crash ${point}`);
  const missed = [...allFaults, ...crashes, ...sights].filter((name) => !total.struck.has(name));
  const sumOf = (names) => names.reduce((sum, name) => sum + (total.struck.get(name) ?? 0), 0);
  if (missed.length > 0) console.log(`never seen: ${missed.join(', ')}`);
  if (unlike.length > 0) console.log(`not the same when repeated: seeds ${unlike.join(', ')}`);
  const [first] = total.failed.sort((a, b) => a.seed - b.seed);
  if (first) await explain(first.seed, null);
  const seconds = Math.round((performance.now() - began) / 1000);
  const hit = crashes.filter((name) => total.struck.has(name)).length;
  console.log(
    `simulation: seeds ${count}, steps ${total.steps}, virtual hours ${Math.round(total.virtual / 3600_000)}, ` +
      `faults injected ${sumOf([...allFaults, ...crashes])}, crash points hit ${hit}/${crashes.length}, ` +
      `violations ${total.failed.length}, mutants caught ${caught ? 1 : 0}/1, ${seconds} s`,
  );
  const isVoid = count >= 1000 && missed.length > 0;
  return total.failed.length === 0 && unlike.length === 0 && caught !== null && !isVoid;
};

/** The names of all faults and crash points, from a process that can read them. */
const facts = async () => {
  const worker = new Worker(null);
  await worker.ready;
  const answer = worker.next();
  worker.child.send({ names: true });
  const names = await answer;
  worker.end();
  return names;
};

process.exit(
  await main().then(
    (good) => (good ? 0 : 1),
    (error) => {
      console.error(error.message);
      return 1;
    },
  ),
);
