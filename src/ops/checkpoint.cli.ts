import type { Command } from 'commander';
import { CheckpointJob } from '../platform/proof/checkpoint.job.js';
import { counted, withExamples, type Report, type Run } from './command.cli.js';
import type { Workspace } from './workspace.pg.js';

export function checkpointCommand(cli: Command, run: Run): void {
  const command = cli
    .command('checkpoint')
    .description('seals the log and the inbox up to now with a signature, and exports what is not exported yet')
    .option('--json', 'one JSON value')
    .action((options: { json?: boolean }) => run(options, makeCheckpoint));
  withExamples(command, 'checkpoint', 'checkpoint --json');
}

async function makeCheckpoint(workspace: Workspace): Promise<Report> {
  const { made, exported, newest } = await (await workspace.commands()).get(CheckpointJob).now();
  const directory = workspace.config.checkpointDir;
  const did = made === 0 ? 'Another process is making one at this moment' : `${counted(made)} made`;
  return {
    ok: true,
    json: { made, exported, newest, directory },
    text: `${did}; ${counted(exported)} written to ${directory}, the newest is checkpoint ${counted(newest)}.`,
  };
}
