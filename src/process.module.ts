import { Logger } from '@nestjs/common';
import type { Logger as Pino } from 'pino';
import { createService, type Service } from './app.module.js';
import { SystemClock } from './platform/clock.js';
import { ConfigError, readConfig, type Config } from './platform/config.js';
import { sandboxCredentials } from './platform/credentials.module.js';
import { openDatabase, type OpenDatabase } from './platform/database/open.pg.js';
import { DatabaseIsNewer } from './platform/database/migrate.pg.js';
import { createLog, NestLog } from './platform/logger.module.js';
import { readClockOffset } from './sandbox/journal.job.js';
import { startSandbox, type Sandbox } from './sandbox/sandbox.module.js';
import { banner } from './ops/banner.js';

/** Exit codes after sysexits.h: the configuration is wrong; the data is not what this version can work on. */
const wrongConfiguration = 78;
const wrongData = 65;

interface Running {
  service: Service;
  sandbox: Sandbox | null;
  database: OpenDatabase;
}

/** Starts this process: `service` answers HTTP and works in the background, `worker` only the latter. */
export async function startProcess(kind: 'service' | 'worker'): Promise<void> {
  const config = configOrExit();
  const log = createLog(config.logLevel);
  Logger.overrideLogger(new NestLog(log));
  dieLoudly(log);
  try {
    const running = await start(config, kind, log);
    stopOnSignal(running, log);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    process.stderr.write(`Finality cannot start: ${reason}\n`);
    process.exit(error instanceof DatabaseIsNewer ? wrongData : 1);
  }
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

async function start(given: Config, kind: 'service' | 'worker', log: Pino): Promise<Running> {
  const began = performance.now();
  const credentials = given.gateway === 'sandbox' ? await sandboxCredentials(given.dataDir) : null;
  const config = credentials ? withCredentials(given, credentials) : given;
  const database = await openDatabase(config, (line) => { log.info({ msg: line }); });
  const sandboxState = config.gateway === 'sandbox' ? `${config.dataDir}/sandbox.json` : null;
  const clock = new SystemClock(sandboxState ? readClockOffset(sandboxState) : 0);
  const service = await createService({ config, databaseUrl: database.url, clock, log, http: kind === 'service' });
  const sandbox = sandboxState && kind === 'service' ? await openSandbox(config, clock, sandboxState, service, log) : null;
  await service.listen();
  if (kind === 'service') process.stdout.write(banner(config, sandbox?.url ?? null, Math.round(performance.now() - began)));
  else log.info({ msg: 'the worker is ready' });
  return { service, sandbox, database };
}

function withCredentials(config: Config, made: { apiKey: string; opsPassword: string; merchantKey: string; payoutKey: string }): Config {
  return {
    ...config,
    apiKey: config.apiKey ?? made.apiKey,
    opsPassword: config.opsPassword ?? made.opsPassword,
    merchantKeys: config.merchantKeys.length > 0 ? config.merchantKeys : [made.merchantKey],
    payoutKeys: config.payoutKeys.length > 0 ? config.payoutKeys : [made.payoutKey],
  };
}

const openSandbox = (config: Config, clock: SystemClock, stateFile: string, service: Service, log: Pino): Promise<Sandbox> =>
  startSandbox({
    port: config.sandboxPort,
    host: config.host,
    clock,
    merchantKeys: config.merchantKeys,
    payoutKeys: config.payoutKeys,
    stateFile,
    onClockAdvanced: (seconds) => service.clockAdvanced(seconds),
    log: (line) => { log.info({ msg: line }); },
  });

function stopOnSignal({ service, sandbox, database }: Running, log: Pino): void {
  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    if (stopping) return;
    stopping = true;
    log.info({ msg: 'stopping', signal });
    await service.close();
    await sandbox?.close();
    await database.close();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      stop(signal).catch((error: unknown) => {
        log.error({ msg: 'stopping failed', err: error });
        process.exit(1);
      });
    });
  }
}

/** A state that nobody foresaw is left at once: what was acknowledged is durable, and the next start goes on from there. */
function dieLoudly(log: Pino): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ msg: event, err: error });
      process.exit(1);
    });
  }
}
