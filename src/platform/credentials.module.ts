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
  /** The seed that checkpoints are signed with. */
  checkpointKey: string;
}

const random = (bytes: number): string => randomBytes(bytes).toString('base64url');
/** The shape of the gateway's own keys: four groups of six capitals and digits. */
const gatewayKey = (): string => (randomBytes(12).toString('hex').toUpperCase().match(/.{6}/g) ?? []).join('-');

/** The sandbox's secrets, made at the first start and kept beside its data, readable by its owner only. */
export async function sandboxCredentials(dataDir: string): Promise<Credentials> {
  await mkdir(dataDir, { recursive: true });
  const made: Omit<Credentials, 'checkpointKey'> = {
    apiKey: newApiKey(),
    opsPassword: random(12),
    merchantKey: gatewayKey(),
    payoutKey: gatewayKey(),
  };
  const kept = await keptOrMade(join(dataDir, 'sandbox-credentials.json'), JSON.stringify(made, null, 2));
  const checkpointKey = await keptOrMade(join(dataDir, 'sandbox-checkpoint-key'), randomBytes(32).toString('base64'));
  return { ...(JSON.parse(kept) as typeof made), checkpointKey: checkpointKey.trim() };
}

/** What a file holds that the first who asks for it makes. */
async function keptOrMade(path: string, text: string): Promise<string> {
  try {
    const file = await open(path, 'wx', 0o600);
    await file.writeFile(text);
    await file.close();
    return text;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    return readFile(path, 'utf8');
  }
}

/** The configuration with what was made up in the places of what is not set. */
export function withCredentials(config: Config, made: Credentials): Config {
  return {
    ...config,
    apiKey: config.apiKey ?? made.apiKey,
    madeUpKey: config.apiKey === null ? made.apiKey : null,
    opsPassword: config.opsPassword ?? made.opsPassword,
    merchantKeys: config.merchantKeys.length > 0 ? config.merchantKeys : [made.merchantKey],
    payoutKeys: config.payoutKeys.length > 0 ? config.payoutKeys : [made.payoutKey],
    checkpointKeys: config.checkpointKeys.length > 0 ? config.checkpointKeys : [made.checkpointKey],
  };
}
