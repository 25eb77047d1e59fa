import 'reflect-metadata';
import { Logger, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CommandBus } from '@nestjs/cqrs';
import type { Pool } from 'pg';
import { CoreModule } from './core.module.js';
import type { Commands } from './ops/workspace.pg.js';
import { SystemClock } from './platform/clock.js';
import type { Config } from './platform/config.js';
import { sandboxCredentials, withCredentials } from './platform/credentials.module.js';
import { BackgroundPool, DatabasePool } from './platform/database/pool.pg.js';
import { EventStore } from './platform/event-store/event-store.pg.js';
import { Jobs } from './platform/jobs/jobs.pg.js';
import { createLog, NestLog } from './platform/logger.module.js';
import { readClockOffset } from './sandbox/journal.job.js';

@Module({})
class CommandsModule {}

/** The service's clock: in the sandbox it may have been moved. */
export const openClock = ({ gateway, dataDir }: Config): SystemClock =>
  new SystemClock(gateway === 'sandbox' ? readClockOffset(`${dataDir}/sandbox.json`) : 0);

/** The service's commands for the command line: nothing listens, and nothing works in the background. */
export async function openCommands(given: Config, databaseUrl: string): Promise<Commands> {
  const sandbox = given.gateway === 'sandbox';
  const config = sandbox ? withCredentials(given, await sandboxCredentials(given.dataDir)) : given;
  // Standard output is the command's result, so that nothing but what goes wrong is logged, on standard error.
  const log = createLog('silent');
  const clock = openClock(config);
  Logger.overrideLogger(new NestLog(log));
  const context = await NestFactory.createApplicationContext(
    { module: CommandsModule, imports: [CoreModule.of({ config, databaseUrl, clock, log })] },
    { logger: new NestLog(log), abortOnError: false },
  );
  return {
    execute: (command) => context.get(CommandBus).execute(command),
    get: (part) => context.get(part),
    close: async () => {
      await context.get(Jobs).stop();
      await context.get(EventStore).close();
      await Promise.all([context.get<Pool>(DatabasePool).end(), context.get<Pool>(BackgroundPool).end()]);
      await context.close();
    },
  };
}
