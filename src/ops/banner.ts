import type { Config } from '../platform/config.js';

/** What a sandbox's start prints for people: where everything is, and a first command to paste. */
export function banner(config: Config, sandboxUrl: string, tookMs: number): string {
  const base = `http://localhost:${String(config.port)}`;
  const lines = [
    '',
    `  Finality is ready (${(tookMs / 1000).toFixed(1)} s).`,
    '',
    `  service     ${base}   (begin there: a first payment, step by step)`,
    `  API docs    ${base}/docs`,
    `  sandbox     ${sandboxUrl}   (a gateway in which no real money moves)`,
    `  API key     ${config.apiKey ?? ''}`,
    `  console     ${base}/ops   password ${config.opsPassword ?? ''}`,
    '',
    '  Create a payment:',
    '',
    `  curl -s ${base}/v1/payments \\`,
    `    -H 'Authorization: Bearer ${config.apiKey ?? ''}' \\`,
    `    -H 'Content-Type: application/json' \\`,
    `    -d '{"orderId":"order-1001","amount":"49.90","currency":"USD"}'`,
    '',
  ];
  return `${lines.join('\n')}\n`;
}
