import { SystemClock } from './platform/clock.js';
import type { Config } from './platform/config.js';
import type { Commands } from './ops/workspace.pg.js';
import { readClockOffset } from './sandbox/journal.job.js';

/** The service's clock: in the sandbox it may have been moved. */
export const openClock = ({ gateway, dataDir }: Config): SystemClock =>
  new SystemClock(gateway === 'sandbox' ? readClockOffset(`${dataDir}/sandbox.json`) : 0);

/**
 * The service's commands for the command line: nothing listens, and nothing works in the background. The parts are
 * loaded when they are needed: most commands do without, and start in a fraction of the time.
 */
export async function openCommands(config: Config, databaseUrl: string): Promise<Commands> {
  const { openCore } = await import('./core.module.js');
  return openCore(config, databaseUrl, openClock(config));
}
