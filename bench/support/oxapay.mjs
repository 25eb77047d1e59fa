// The service as it runs in production, with a gateway of ours in OxaPay's place.
import { join } from 'node:path';
import { freePort, startProgram, startService } from './processes.mjs';

export const apiKey = 'bench-api-key-that-is-long-enough-0123456789';
const merchantKey = 'BENCHK-EYMERC-HANTAA-000001';
const payoutKey = 'BENCHK-EYPAYO-UTAAAA-000001';
/** What the measurements need to know of the keys. */
export const credentials = { apiKey, merchantKey, payoutKey };

/** Starts a gateway program of `support/`. */
export const startGateway = async (program, environment = {}) => {
  const port = await freePort();
  return { ...(await startProgram(`bench/support/${program}`, { PORT: port, ...environment }, /ready/)), port };
};

export const environmentFor = (gateway) => ({
  GATEWAY: 'oxapay',
  OXAPAY_BASE_URL: `http://127.0.0.1:${gateway.port}/v1`,
  OXAPAY_MERCHANT_API_KEY: merchantKey,
  OXAPAY_PAYOUT_API_KEY: payoutKey,
  API_KEY: apiKey,
  OPS_PASSWORD: 'bench-operators',
});

/** The service with the sandbox gateway in a process of its own: what that does is no work of the service. */
export const startWithSandbox = async (dataDir) => {
  const keys = { MERCHANT_KEY: merchantKey, PAYOUT_KEY: payoutKey };
  const gateway = await startGateway('sandbox.mjs', { ...keys, STATE_FILE: join(dataDir, 'sandbox.json') });
  const service = await startService(dataDir, environmentFor(gateway));
  const stop = async () => {
    await service.stop();
    await gateway.stop();
  };
  return { ...service, sandboxPort: gateway.port, stop };
};
