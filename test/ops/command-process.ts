import { execFile, type ChildProcess } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apiKey, merchantKey, payoutKey, type TestService } from '../support/service.js';

/** What a command left behind. */
export interface Ran {
  code: number;
  out: string;
  err: string;
  /** Its standard output, read as JSON. */
  json: any;
}

const dataDir = mkdtempSync(join(tmpdir(), `finality-test-${String(process.pid)}-cli-`));

type Finality = ((...args: string[]) => Promise<Ran>) & {
  /** The same, with Ctrl-C as soon as it says something. */
  interrupted(...args: string[]): Promise<Ran>;
};

/** Runs commands as an operator would: each a process of its own, beside the running service. */
export function finalityBeside(shop: TestService, given: Record<string, string> = {}): Finality {
  const env = {
    ...process.env,
    NODE_OPTIONS: '',
    DATABASE_URL: shop.database.url,
    DATA_DIR: dataDir,
    SANDBOX_PORT: String(shop.config.sandboxPort),
    OXAPAY_MERCHANT_API_KEY: merchantKey,
    OXAPAY_PAYOUT_API_KEY: payoutKey,
    API_KEY: apiKey,
    ...given,
  };
  const run = (args: string[], onSpeaking: (command: ChildProcess) => void): Promise<Ran> =>
    new Promise((resolve) => {
      const command = execFile(
        process.execPath,
        ['dist/cli.js', ...args],
        { env, timeout: 40_000 },
        (error, out, err) => {
          const code = typeof error?.code === 'number' ? error.code : error ? -1 : 0;
          resolve({
            code,
            out,
            err,
            get json() {
              return JSON.parse(out) as unknown;
            },
          });
        },
      );
      command.stdout?.once('data', () => {
        onSpeaking(command);
      });
    });
  return Object.assign((...args: string[]) => run(args, () => undefined), {
    interrupted: (...args: string[]) => run(args, (command) => void command.kill('SIGINT')),
  });
}

/** The same on production, as far as the command can tell: the gateway is the sandbox's at the address of the real one. */
export const inProduction = (shop: TestService): Record<string, string> => ({
  GATEWAY: 'oxapay',
  OXAPAY_BASE_URL: `${shop.sandboxUrl}/v1`,
  PUBLIC_URL: 'https://pay.example',
  OPS_PASSWORD: 'test-ops-password',
});
