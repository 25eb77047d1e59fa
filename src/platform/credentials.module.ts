import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.js';
import { newApiKey } from './http/applications.pg.js';

/** Secrets that a sandbox makes up for itself. */
export interface Credentials {
  apiKey: string;
  opsPassword: string;
  merchantKey: string;
  payoutKey: string;
}

const random = (bytes: number): string => randomBytes(bytes).toString('base64url');
/** The shape of the gateway's own keys: four groups of six capitals and digits. */
const gatewayKey = (): string => (randomBytes(12).toString('hex').toUpperCase().match(/.{6}/g) ?? []).join('-');

/** The sandbox's secrets, made at the first start and kept beside its data, readable by its owner only. */
export async function sandboxCredentials(dataDir: string): Promise<Credentials> {
  const path = join(dataDir, 'sandbox-credentials.json');
  await mkdir(dataDir, { recursive: true });
  const made: Credentials = {
    apiKey: newApiKey(),
    opsPassword: random(12),
    merchantKey: gatewayKey(),
    payoutKey: gatewayKey(),
  };
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(JSON.stringify(made, null, 2));
    await file.close();
    return made;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    return JSON.parse(await readFile(path, 'utf8')) as Credentials;
  }
}

/** The configuration with what was made up in the places of what is not set. */
export function withCredentials(config: Config, made: Credentials): Config {
  return {
    ...config,
    apiKey: config.apiKey ?? made.apiKey,
    opsPassword: config.opsPassword ?? made.opsPassword,
    merchantKeys: config.merchantKeys.length > 0 ? config.merchantKeys : [made.merchantKey],
    payoutKeys: config.payoutKeys.length > 0 ? config.payoutKeys : [made.payoutKey],
  };
}
