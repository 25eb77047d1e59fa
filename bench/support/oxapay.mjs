// The service as it runs in production, with a gateway of ours in OxaPay's place.
import { freePort, startProgram } from './processes.mjs';

export const apiKey = 'bench-api-key-that-is-long-enough-0123456789';

/** Starts a gateway program of `support/`. */
export const startGateway = async (program, environment = {}) => {
  const port = await freePort();
  return { ...(await startProgram(`bench/support/${program}`, { PORT: port, ...environment }, /ready/)), port };
};

export const environmentFor = (gateway) => ({
  GATEWAY: 'oxapay',
  OXAPAY_BASE_URL: `http://127.0.0.1:${gateway.port}/v1`,
  OXAPAY_MERCHANT_API_KEY: 'BENCHK-EYMERC-HANTAA-000001',
  OXAPAY_PAYOUT_API_KEY: 'BENCHK-EYPAYO-UTAAAA-000001',
  API_KEY: apiKey,
  OPS_PASSWORD: 'bench-operators',
});
