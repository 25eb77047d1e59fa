import { Logger } from '@nestjs/common';
import { Command, CommanderError } from 'commander';
import { Refusal } from '../kernel/refusal.js';
import { ConfigError, readConfig } from '../platform/config.js';
import { Busy } from '../platform/database/operator-lock.pg.js';
import { DatabaseIsNewer, NotOurDatabase } from '../platform/database/migrate.pg.js';
import { version } from '../version.js';
import { applicationsCommand } from './applications.cli.js';
import { callbacksCommand } from './callbacks.cli.js';
import { checkpointCommand } from './checkpoint.cli.js';
import { exitCodes, Interrupted, printable, printableJson, Terminal, withExamples, type Run } from './command.cli.js';
import { doctor } from './doctor.cli.js';
import { explainPayment } from './explain.cli.js';
import { policyCommand } from './policy.cli.js';
import { exportCommand } from './export.cli.js';
import { matchCommand } from './match.cli.js';
import { reconcileCommand } from './reconcile.cli.js';
import { replayCommand } from './replay.cli.js';
import { reviewCommand } from './review.cli.js';
import { timeline } from './timeline.cli.js';
import { verifyCommand } from './verify.cli.js';
import { webhooksCommand } from './webhooks.cli.js';
import { openWorkspace, type Parts } from './workspace.pg.js';

type Env = Readonly<Record<string, string | undefined>>;

/** Runs one command and returns its exit code: 0 all is well, 1 it is not, and those of `exitCodes`. */
export async function runCli(argv: readonly string[], env: Env, parts: Parts): Promise<number> {
  // Standard output is the command's result, also while it opens the database or migrates it.
  Logger.overrideLogger(false);
  let code = 0;
  const terminal = new Terminal(process.stdout, process.stderr);
  const run: Run = async (options, command) => {
    const workspace = await openWorkspace(readConfig(env), env, parts);
    try {
      const report = await command(workspace, terminal);
      if (!('streamed' in report))
        await terminal.write(`${options.json ? printableJson(report.json, 2) : printable(report.text)}\n`);
      if (!report.ok) code = exitCodes.failed;
    } finally {
      await workspace.close();
    }
  };
  const release = stopOnSignals(terminal);
  try {
    refuseSecrets(argv.slice(2));
    await commandLine(run).parseAsync([...argv]);
    return code;
  } catch (error) {
    return failed(terminal.signal.aborted ? terminal.signal.reason : error);
  } finally {
    release();
  }
}

/** The first signal ends the command at its next safe point, the second at once. */
function stopOnSignals(terminal: Terminal): () => void {
  const onSignal = (): void => {
    if (terminal.signal.aborted) process.exit(exitCodes.interrupted);
    terminal.note('Stopping at the next safe point; once more stops at once.');
    terminal.stop(exitCodes.interrupted);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  return () => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
  };
}

class SecretInArgument extends Error {}

// Our own keys and webhook secrets, URLs with a password, and options that ask for one.
const secret =
  /^(?:fin|whsec)_[\w+/=-]{16,}$|^\w+:\/\/[^/\s:@]*:[^/\s@]+@|^--?(?:api-?key|key|secret|password|token)(?:=|$)/i;

/** Arguments can be seen by every user of the machine, and stay in the shell's history. */
function refuseSecrets(args: readonly string[]): void {
  if (args.some((arg) => secret.test(arg)))
    throw new SecretInArgument(
      'a secret does not belong in an argument, where every user of this machine can read it: set it in the environment (API_KEY, DATABASE_URL, …), and replace this one.',
    );
}

function failed(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
  if (error instanceof Interrupted) {
    if (error.exitCode === exitCodes.interrupted) process.stderr.write('finality: stopped; what was done is whole.\n');
    return error.exitCode;
  }
  const message = error instanceof Refusal ? error.detail : error instanceof Error ? error.message : String(error);
  process.stderr.write(`finality: ${printable(message)}\n`);
  if (error instanceof ConfigError) return exitCodes.wrongConfiguration;
  if (error instanceof DatabaseIsNewer || error instanceof NotOurDatabase) return exitCodes.wrongData;
  if (error instanceof SecretInArgument) return exitCodes.usage;
  if (error instanceof Refusal && (error.code === 'malformed_request' || error.code === 'invalid_request'))
    return exitCodes.usage;
  return error instanceof Busy ? exitCodes.busy : exitCodes.failed;
}

/** All commands with their options, help and examples. */
export function commandLine(run: Run): Command {
  const cli = new Command('finality')
    .description(
      'Operate Finality. It runs beside a running service; with the embedded database it finds the server under DATA_DIR, or starts it for itself.',
    )
    .version(version)
    .showHelpAfterError('(--help shows the options and examples)')
    .exitOverride();
  replayCommand(cli, run);
  withExamples(
    cli
      .command('explain <payment>')
      .description('why a payment is, or is not, complete')
      .option('--as-of <when>', 'as it was known after this version, or at this RFC 3339 time')
      .option('--json', 'one JSON value')
      .action((id: string, options: { asOf?: string; json?: boolean }) =>
        run(options, (workspace) => explainPayment(workspace, id, options.asOf)),
      ),
    'explain 0198c0de-…',
    'explain 0198c0de-… --as-of 2026-01-31T12:00:00Z --json',
  );
  withExamples(
    cli
      .command('timeline <payment>')
      .description('its events, evidence and deliveries side by side, oldest first')
      .option('--json', 'one JSON value')
      .action((id: string, options: { json?: boolean }) => run(options, (workspace) => timeline(workspace, id))),
    'timeline 0198c0de-…',
  );
  callbacksCommand(cli, run);
  reconcileCommand(cli, run);
  reviewCommand(cli, run);
  webhooksCommand(cli, run);
  policyCommand(cli, run);
  exportCommand(cli, run);
  matchCommand(cli, run);
  applicationsCommand(cli, run);
  verifyCommand(cli, run);
  checkpointCommand(cli, run);
  withExamples(
    cli
      .command('doctor')
      .description('checks configuration, database, gateway, clocks and backlog, and says what to do')
      .option('--json', 'one JSON value')
      .action((options: { json?: boolean }) => run(options, doctor)),
    'doctor',
  );
  return cli;
}
