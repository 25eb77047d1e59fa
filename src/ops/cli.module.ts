import { Command, CommanderError } from 'commander';
import { Refusal } from '../kernel/refusal.js';
import { ConfigError, readConfig } from '../platform/config.js';
import { version } from '../version.js';
import { doctor } from './doctor.cli.js';
import { explainPayment } from './explain.cli.js';
import { replayPayment, replayProjections } from './replay.cli.js';
import { timeline } from './timeline.cli.js';
import { webhooksCommand } from './webhooks.cli.js';
import { openWorkspace, type Workspace } from './workspace.pg.js';

/** What a command tells: lines for people, or one JSON value, and whether all is well. */
export interface Report {
  text: string;
  json: unknown;
  ok: boolean;
}

type Env = Readonly<Record<string, string | undefined>>;

const usageError = 64;
const wrongConfiguration = 78;

/** Runs one command and returns its exit code: 0 well, 1 not, 64 wrong usage, 78 wrong configuration. */
export async function runCli(argv: readonly string[], env: Env): Promise<number> {
  let code = 0;
  const run = async (
    options: { json?: boolean },
    command: (workspace: Workspace) => Promise<Report>,
  ): Promise<void> => {
    const workspace = await openWorkspace(readConfig(env), env);
    try {
      const report = await command(workspace);
      process.stdout.write(options.json ? `${JSON.stringify(report.json, null, 2)}\n` : `${report.text}\n`);
      if (!report.ok) code = 1;
    } finally {
      await workspace.close();
    }
  };
  try {
    await program(run).parseAsync([...argv]);
    return code;
  } catch (error) {
    return failed(error);
  }
}

function failed(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usageError;
  const message = error instanceof Refusal ? error.detail : error instanceof Error ? error.message : String(error);
  process.stderr.write(`finality: ${message}\n`);
  return error instanceof ConfigError ? wrongConfiguration : 1;
}

/** Runs a command with the workspace that it needs, prints its report, and closes the workspace. */
export type Run = (options: { json?: boolean }, command: (workspace: Workspace) => Promise<Report>) => Promise<void>;

function program(run: Run): Command {
  const cli = new Command('finality')
    .description(
      'Operate Finality. It runs beside a running service; with the embedded database it finds the server under DATA_DIR, or starts it for itself.',
    )
    .version(version)
    .exitOverride();
  replayCommand(cli, run);
  cli
    .command('explain <payment>')
    .description('why a payment is, or is not, complete')
    .option('--json', 'one JSON value')
    .action((id: string, options: { json?: boolean }) => run(options, (workspace) => explainPayment(workspace, id)));
  cli
    .command('timeline <payment>')
    .description('its events, evidence and deliveries side by side, oldest first')
    .option('--json', 'one JSON value')
    .action((id: string, options: { json?: boolean }) => run(options, (workspace) => timeline(workspace, id)));
  webhooksCommand(cli, run);
  cli
    .command('doctor')
    .description('checks configuration, database, gateway, clocks and backlog, and says what to do')
    .option('--json', 'one JSON value')
    .action((options: { json?: boolean }) => run(options, doctor));
  return cli;
}

function replayCommand(cli: Command, run: Run): void {
  cli
    .command('replay')
    .description(
      'rebuilds read models from the events beside the live ones and swaps them, or folds one payment; emits no outside effect',
    )
    .option('--projection <name>', 'the read model, or "all"')
    .option('--payment <id>', 'one payment, event by event')
    .option('--as-of <when>', 'with --payment: up to this version or RFC 3339 time')
    .option('--dry-run', 'with --projection: compare with the live tables, and swap nothing')
    .option('--json', 'one JSON value')
    .addHelpText(
      'after',
      '\nExamples:\n  finality replay --projection orders --dry-run\n  finality replay --payment 0198… --as-of 3',
    )
    .action(
      async (
        options: { projection?: string; payment?: string; asOf?: string; dryRun?: boolean; json?: boolean },
        command: Command,
      ) => {
        const { projection, payment, asOf } = options;
        if ((projection === undefined) === (payment === undefined))
          command.error('error: give either --projection or --payment');
        if (payment !== undefined) await run(options, (workspace) => replayPayment(workspace, payment, asOf));
        else
          await run(options, (workspace) => replayProjections(workspace, projection ?? 'all', options.dryRun ?? false));
      },
    );
}
