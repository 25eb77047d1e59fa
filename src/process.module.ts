import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import type { Logger as Pino } from 'pino';
import { createService, type Service } from './app.module.js';
import { SystemClock } from './platform/clock.js';
import { ConfigError, readConfig, type Config } from './platform/config.js';
import { sandboxCredentials, withCredentials } from './platform/credentials.module.js';
import { openDatabase, type OpenDatabase } from './platform/database/open.pg.js';
import { DatabaseIsNewer } from './platform/database/migrate.pg.js';
import { isUnreachable } from './platform/database/unreachable.js';
import { createLog, NestLog, secretsOf } from './platform/logger.module.js';
import { Secrets } from './platform/secrets.js';
import { readClockOffset } from './sandbox/journal.job.js';
import { startSandbox, type Sandbox } from './sandbox/sandbox.module.js';
import { banner } from './ops/banner.js';
import { openWaitingRoom, type WaitingRoom } from './ops/waiting-room.controller.js';

/** Exit codes after sysexits.h: the configuration is wrong; the data is not what this version can work on. */
const wrongConfiguration = 78;
const wrongData = 65;

/** Stopping may take so long; what hangs then is left behind, as after a crash. */
const stopWithinMs = 20_000;
/** One press of Ctrl-C may arrive twice, from the terminal and from npm; a second press is not so quick. */
const sameSignalMs = 250;

/** How often a database that was given and is not there is looked for. */
const lookForDatabaseMs = 1000;

/** What this process has opened so far. */
interface Opened {
  /** What may stand in nothing that it says. */
  secrets: Secrets;
  database: OpenDatabase | null;
  service: Service | null;
  sandbox: Sandbox | null;
  /** The start has succeeded. */
  complete: boolean;
  /** The process is on its way out: nothing more is opened. */
  stopping: boolean;
}

/** Starts this process: `service` answers HTTP and works in the background, `worker` only the latter. */
export async function startProcess(kind: 'service' | 'worker'): Promise<void> {
  const config = configOrExit();
  const secrets = new Secrets();
  secrets.learn(secretsOf(config));
  const log = createLog(config.logLevel, secrets);
  Logger.overrideLogger(new NestLog(log));
  dieLoudly(log);
  const opened: Opened = { secrets, database: null, service: null, sandbox: null, complete: false, stopping: false };
  const started = start(config, kind, log, opened);
  stopOnSignal(opened, started, log);
  try {
    await started;
  } catch (error) {
    // Whoever stops us waits for the start in hand and closes what it has opened.
    if (!opened.stopping) await giveUp(error, opened, log);
  }
}

async function giveUp(error: unknown, opened: Opened, log: Pino): Promise<never> {
  opened.stopping = true;
  exitWhenLate(log);
  const why = error instanceof Error ? error.message : String(error);
  process.stderr.write(`Finality cannot start: ${opened.secrets.hide(why)}\n`);
  await closeAll(opened, log);
  process.exit(error instanceof DatabaseIsNewer ? wrongData : 1);
}

function configOrExit(): Config {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`Finality cannot start: ${error.message}\n`);
    process.exit(wrongConfiguration);
  }
}

async function start(given: Config, kind: 'service' | 'worker', log: Pino, opened: Opened): Promise<void> {
  const began = performance.now();
  // Before anything is touched: the process that has the ports may be one that works on the same data.
  if (kind === 'service') await refuseTakenPorts(given);
  const credentials = given.gateway === 'sandbox' ? await sandboxCredentials(given.dataDir) : null;
  const config = credentials ? withCredentials(given, credentials) : given;
  opened.secrets.learn(secretsOf(config));
  const database = (opened.database = await openWhenThere(config, kind, log, opened));
  opened.secrets.learn(secretsOf(config, database.url));
  unlessStopping(opened);
  const sandboxState = config.gateway === 'sandbox' ? `${config.dataDir}/sandbox.json` : null;
  const clock = new SystemClock(sandboxState ? readClockOffset(sandboxState) : 0);
  const service = (opened.service = await createService({
    config,
    databaseUrl: database.url,
    clock,
    log,
    http: kind === 'service',
  }));
  unlessStopping(opened);
  if (sandboxState && kind === 'service') {
    opened.sandbox = await openSandbox(config, clock, sandboxState, service, log).catch(
      explain('SANDBOX_PORT', config.sandboxPort),
    );
    unlessStopping(opened);
  }
  await service.listen().catch(explain('PORT', config.port));
  unlessStopping(opened);
  opened.complete = true;
  sayReady(config, kind, opened.sandbox?.url ?? null, Math.round(performance.now() - began), log);
}

/** A sandbox tells a person where everything is, its keys included; what runs for real writes nothing but its log. */
function sayReady(config: Config, kind: string, sandboxUrl: string | null, tookMs: number, log: Pino): void {
  if (kind === 'service' && sandboxUrl !== null) process.stdout.write(banner(config, sandboxUrl, tookMs));
  else log.info({ msg: `the ${kind} is ready`, publicUrl: config.publicUrl, tookMs });
}

/** Opens the database. One that was given and cannot be reached is waited for, however long that takes. */
async function openWhenThere(
  config: Config,
  kind: 'service' | 'worker',
  log: Pino,
  opened: Opened,
): Promise<OpenDatabase> {
  const tell = (line: string, level: 'info' | 'warn'): void => {
    log[level]({ msg: line });
  };
  let room: WaitingRoom | null = null;
  try {
    for (;;) {
      try {
        return await openDatabase(config, tell, dieWithDatabase(log));
      } catch (error) {
        // The embedded server is started by us: where that fails, nobody else will make it come.
        if (config.databaseUrl === null || !isUnreachable(error)) throw error;
        unlessStopping(opened);
        log.warn({ msg: 'the database cannot be reached; it is tried again', error: String(error) });
      }
      if (kind === 'service')
        room ??= await openWaitingRoom(config.port, config.host).catch(explain('PORT', config.port));
      await delay(lookForDatabaseMs);
      unlessStopping(opened);
    }
  } finally {
    await room?.close();
  }
}

function unlessStopping(opened: Opened): void {
  if (opened.stopping) throw new Error('stopped while starting');
}

async function refuseTakenPorts(config: Config): Promise<void> {
  await tryPort(config.port, config.host).catch(explain('PORT', config.port));
  if (config.gateway === 'sandbox')
    await tryPort(config.sandboxPort, config.host).catch(explain('SANDBOX_PORT', config.sandboxPort));
}

/** Listens there for a moment. */
const tryPort = (port: number, host: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, host, () =>
      server.close(() => {
        resolve();
      }),
    );
  });

/** Says which variable to change where a port cannot be had; throws everything else on. */
const explain =
  (variable: 'PORT' | 'SANDBOX_PORT', port: number) =>
  (error: unknown): never => {
    const code = error instanceof Error && 'code' in error ? error.code : null;
    if (code === 'EADDRINUSE')
      throw new Error(`port ${String(port)} is taken; set ${variable} to a free one.`, { cause: error });
    if (code === 'EACCES')
      throw new Error(`port ${String(port)} is not allowed to this user; set ${variable} to one above 1023.`, {
        cause: error,
      });
    throw error;
  };

const openSandbox = (
  config: Config,
  clock: SystemClock,
  stateFile: string,
  service: Service,
  log: Pino,
): Promise<Sandbox> =>
  startSandbox({
    port: config.sandboxPort,
    host: config.host,
    clock,
    merchantKeys: config.merchantKeys,
    payoutKeys: config.payoutKeys,
    stateFile,
    merchantPage: (orderId) => `${config.publicUrl}/?payment=${encodeURIComponent(orderId)}`,
    onClockAdvanced: (seconds) => service.clockAdvanced(seconds),
    log: (line) => {
      log.info({ msg: line });
    },
  });

function stopOnSignal(opened: Opened, started: Promise<void>, log: Pino): void {
  let first = 0;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (first === 0) {
        first = performance.now();
        if (!opened.stopping) return void stop(signal, opened, started, log);
      }
      if (performance.now() - first < sameSignalMs) return;
      log.warn({ msg: 'stopped at once', signal });
      process.exit(1);
    });
  }
}

async function stop(signal: string, opened: Opened, started: Promise<void>, log: Pino): Promise<void> {
  opened.stopping = true;
  log.info({ msg: 'stopping', signal });
  exitWhenLate(log);
  await started.catch((error: unknown) => {
    log.info({ msg: 'the start was cut short', reason: String(error) });
  });
  process.exit((await closeAll(opened, log)) ? 0 : 1);
}

function exitWhenLate(log: Pino): void {
  setTimeout(() => {
    log.error({ msg: 'stopping takes too long; what still runs is left behind', seconds: stopWithinMs / 1000 });
    process.exit(1);
  }, stopWithinMs).unref();
}

/** Closes what was opened: the service first, which may need the gateway for its last work, and the database last. */
async function closeAll({ service, sandbox, database, complete }: Opened, log: Pino): Promise<boolean> {
  let clean = true;
  const closers = [
    () => service?.close(),
    () => sandbox?.close(),
    () => (complete ? database?.close() : database?.undo()),
  ];
  for (const close of closers) {
    try {
      await close();
    } catch (error) {
      clean = false;
      log.error({ msg: 'stopping failed', err: error });
    }
  }
  return clean;
}

/** Without its database a service can only refuse; a new start may find a way, or tells the reason. */
const dieWithDatabase =
  (log: Pino) =>
  (error: Error): void => {
    log.fatal({ msg: 'the database died and cannot be brought back', err: error });
    process.exit(1);
  };

/** A state that nobody foresaw is left at once: what was acknowledged is durable, and the next start goes on from there. */
function dieLoudly(log: Pino): void {
  // Node would print its warnings between the lines of the log.
  process.removeAllListeners('warning');
  process.on('warning', (warning) => {
    log.warn({ msg: 'Node.js warns', err: warning });
  });
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ msg: event, err: error });
      process.exit(1);
    });
  }
}
