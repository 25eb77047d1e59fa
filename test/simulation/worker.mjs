// One process of the simulation: runs the seeds that its parent names and tells what came of each.
import { register } from 'node:module';
import { Logger } from '@nestjs/common';
import { mutants } from './mutants.mjs';

const mutant = process.argv[2] || null;
// A world has a handful of payments: so few looks that are due at once are many there, and begin a sweep.
const scale = { file: 'reconciliation/reconcile.job.js', from: 'const manyLooks = 50;', to: 'const manyLooks = 3;' };
register('./hooks.mjs', import.meta.url, { data: { changes: [scale, ...(mutants[mutant]?.changes ?? [])] } });
Logger.overrideLogger(false);

const { Simulation } = await import('./simulation.ts').catch((error) => {
  console.error(error.message);
  process.exit(1);
});
const { allFaults, crashPoints, sights } = await import('./faults.ts');
let running = null;
process.on('unhandledRejection', (error) => running?.fail(error));

process.on('message', async ({ seed, traced, names }) => {
  if (names) return process.send(JSON.stringify({ allFaults, crashPoints, sights }));
  running = new Simulation({ seed, mutant, traced });
  process.send(await running.run());
});
process.on('disconnect', () => process.exit(0));
process.send('ready');
