// The sandbox gateway in a process of its own, so that what it does is not taken for work of the service.
import { SystemClock } from '../../dist/platform/clock.js';
import { startSandbox } from '../../dist/sandbox/sandbox.module.js';

await startSandbox({
  port: Number(process.env.PORT),
  host: '127.0.0.1',
  clock: new SystemClock(0),
  merchantKeys: [process.env.MERCHANT_KEY],
  payoutKeys: [process.env.PAYOUT_KEY],
  stateFile: process.env.STATE_FILE,
});
process.stdout.write('ready\n');
