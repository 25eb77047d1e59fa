// The service as `dist/main.js` starts it, in a process of its own, but for one thing: the sandbox gateway is elsewhere.
// `dist/main.js` runs the sandbox inside its own process, where it would die with it, and a gateway that dies is no
// witness. With GATEWAY=oxapay the gateway could be elsewhere, but webhooks then go to public HTTPS addresses only, and
// no receiver on this machine could tell what it got. So the wiring is `createService`, as in production, with the
// configuration of the sandbox, and SANDBOX_PORT is where the surviving gateway listens.
import { Logger } from '@nestjs/common';
import { createService } from '../../dist/app.module.js';
import { SystemClock } from '../../dist/platform/clock.js';
import { readConfig } from '../../dist/platform/config.js';
import { openDatabase } from '../../dist/platform/database/open.pg.js';
import { createLog, NestLog } from '../../dist/platform/logger.module.js';
import { plantMutant } from './mutants.mjs';

const config = readConfig(process.env);
const log = createLog(config.logLevel);
Logger.overrideLogger(new NestLog(log));
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error) => {
    log.fatal({ msg: event, err: error });
    process.exit(1);
  });
}
plantMutant(process.env.MUTANT ?? '');
const database = await openDatabase(config, (line, level) => log[level]({ msg: line }));
const service = await createService({
  config,
  databaseUrl: database.url,
  clock: new SystemClock(),
  log,
  http: true,
});
process.on('SIGTERM', () => void service.close().then(() => process.exit(0)));
await service.listen();
