import { isIP } from 'node:net';
import { join, resolve } from 'node:path';
import { isKey } from './proof/signing.js';

/** The whole configuration of a process. It comes from the environment only and never changes while it runs. */
export interface Config {
  port: number;
  host: string;
  publicUrl: string;
  databaseUrl: string | null;
  /** Past a pooler, for what needs a connection of its own: listening, locks, migrations. Null: `databaseUrl`. */
  databaseDirectUrl: string | null;
  /** A standby that answers lists and orders; null: the primary answers everything. */
  databaseStandbyUrl: string | null;
  /** False behind a pooler that cannot keep prepared statements apart. */
  namedStatements: boolean;
  /** Where each event of the log is published; null: nowhere. */
  natsUrl: string | null;
  dataDir: string;
  gateway: 'sandbox' | 'oxapay';
  sandboxPort: number;
  oxapayBaseUrl: string;
  /** The first signs and is sent; all verify. Empty in sandbox where none is set: they are made up then. */
  merchantKeys: string[];
  payoutKeys: string[];
  apiKey: string | null;
  /** The key of `default` that a sandbox has made up, and may show; null where `API_KEY` names one. */
  madeUpKey: string | null;
  opsPassword: string | null;
  /** Opens the console to look only; null: nobody can. */
  opsViewPassword: string | null;
  logLevel: (typeof logLevels)[number];
  /** Minutes of silence of the gateway's API after which fulfilment goes ahead upon a callback alone; null: never. */
  goAheadMinutes: number | null;
  /** Requests a minute that one API key may make. */
  rateLimit: number;
  /** Questions a second that all processes together may ask the gateway. */
  gatewayRequestsPerSecond: number;
  /** Where traces are sent (OTLP over HTTP); null: none are made. */
  tracesEndpoint: string | null;
  /** How the process calls itself in traces. */
  serviceName: string;
  /** Where checkpoints are exported to. */
  checkpointDir: string;
  /** Ed25519 seeds (base64): the first signs, all are trusted. Empty where none is set: in sandbox one is made. */
  checkpointKeys: string[];
  checkpointMinutes: number;
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** A wrong or missing variable, in one sentence that names it and never its value. */
export class ConfigError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

type Env = Readonly<Record<string, string | undefined>>;

/** Reads and checks the environment. Throws `ConfigError` for the first thing that is wrong. */
export function readConfig(env: Env): Config {
  const gateway = choice(env, 'GATEWAY', ['sandbox', 'oxapay'] as const, 'sandbox');
  const port = integer(env, 'PORT', 3000, 0, 65_535);
  const dataDir = resolve(text(env, 'DATA_DIR') ?? '.finality');
  return {
    port,
    host: host(env),
    publicUrl: publicUrl(env, gateway, port),
    ...database(env),
    natsUrl: natsUrl(env),
    dataDir,
    gateway,
    sandboxPort: integer(env, 'SANDBOX_PORT', 3100, 0, 65_535),
    oxapayBaseUrl: url(env, 'OXAPAY_BASE_URL', 'https://api.oxapay.com/v1'),
    merchantKeys: keys(env, 'OXAPAY_MERCHANT_API_KEY', gateway),
    payoutKeys: keys(env, 'OXAPAY_PAYOUT_API_KEY', gateway),
    apiKey: apiKey(env, gateway),
    madeUpKey: null,
    opsPassword: secret(env, 'OPS_PASSWORD', 12, gateway),
    opsViewPassword: viewPassword(env),
    logLevel: choice(env, 'LOG_LEVEL', logLevels, 'info'),
    goAheadMinutes:
      text(env, 'GO_AHEAD_AFTER_SILENCE_MINUTES') === null
        ? null
        : integer(env, 'GO_AHEAD_AFTER_SILENCE_MINUTES', 0, 5, 1440),
    rateLimit: integer(env, 'RATE_LIMIT_PER_MINUTE', gateway === 'sandbox' ? 1_000_000 : 6000, 1, 100_000_000),
    gatewayRequestsPerSecond: integer(env, 'GATEWAY_REQUESTS_PER_SECOND', 10, 1, 1000),
    tracesEndpoint:
      text(env, 'OTEL_EXPORTER_OTLP_ENDPOINT') === null ? null : url(env, 'OTEL_EXPORTER_OTLP_ENDPOINT', ''),
    serviceName: (text(env, 'OTEL_SERVICE_NAME') ?? 'finality').slice(0, 255),
    checkpointDir: resolve(text(env, 'CHECKPOINT_DIR') ?? join(dataDir, 'checkpoints')),
    checkpointKeys: checkpointKeys(env),
    checkpointMinutes: integer(env, 'CHECKPOINT_MINUTES', 60, 1, 1440),
  };
}

/** A variable's text; unset and blank are the same. */
const text = (env: Env, name: string): string | null => {
  const value = env[name]?.trim();
  return value === undefined || value === '' ? null : value;
};

function integer(env: Env, name: string, fallback: number, least: number, most: number): number {
  const value = text(env, name);
  if (value === null) return fallback;
  const number = /^\d{1,9}$/.test(value) ? parseInt(value, 10) : NaN;
  if (!(number >= least && number <= most)) {
    throw new ConfigError(`${name} must be a whole number from ${String(least)} to ${String(most)}.`);
  }
  return number;
}

function choice<const T extends string>(env: Env, name: string, allowed: readonly T[], fallback: T): T {
  const value = text(env, name);
  const found = allowed.find((option) => option === (value ?? fallback));
  if (found === undefined) throw new ConfigError(`${name} must be one of ${allowed.join(', ')}.`);
  return found;
}

function url(env: Env, name: string, fallback: string): string {
  const value = text(env, name) ?? fallback;
  if (!isBaseUrl(value)) {
    throw new ConfigError(`${name} must be an http or https URL without a user, a query or a fragment.`);
  }
  return value.replace(/\/+$/, '');
}

/** Whether paths can be put behind it. */
function isBaseUrl(value: string): boolean {
  if (!URL.canParse(value) || /[?#\s]/.test(value)) return false;
  const { protocol, username, password } = new URL(value);
  return /^https?:$/.test(protocol) && username === '' && password === '';
}

const hostName = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/i;

function host(env: Env): string {
  const value = text(env, 'HOST') ?? '127.0.0.1';
  if (isIP(value) === 0 && !hostName.test(value)) throw new ConfigError('HOST must be an IP address or a host name.');
  return value;
}

function publicUrl(env: Env, gateway: Config['gateway'], port: number): string {
  if (gateway === 'oxapay' && text(env, 'PUBLIC_URL') === null) {
    throw new ConfigError('PUBLIC_URL must be set with GATEWAY=oxapay: the gateway sends its callbacks there.');
  }
  return url(env, 'PUBLIC_URL', `http://localhost:${String(port)}`);
}

function database(
  env: Env,
): Pick<Config, 'databaseUrl' | 'databaseDirectUrl' | 'databaseStandbyUrl' | 'namedStatements'> {
  const databaseUrl = postgresUrl(env, 'DATABASE_URL');
  const databaseDirectUrl = postgresUrl(env, 'DATABASE_DIRECT_URL');
  const databaseStandbyUrl = postgresUrl(env, 'DATABASE_STANDBY_URL');
  const namedStatements = choice(env, 'DATABASE_NAMED_STATEMENTS', ['on', 'off'] as const, 'on') === 'on';
  if (databaseUrl === null && (databaseDirectUrl ?? databaseStandbyUrl) !== null)
    throw new ConfigError('DATABASE_URL must be set with DATABASE_DIRECT_URL or DATABASE_STANDBY_URL.');
  if (!namedStatements && databaseDirectUrl === null)
    throw new ConfigError(
      'DATABASE_DIRECT_URL must be set with DATABASE_NAMED_STATEMENTS=off: the job queue and locks need connections past the pooler.',
    );
  return { databaseUrl, databaseDirectUrl, databaseStandbyUrl, namedStatements };
}

function postgresUrl(env: Env, name: string): string | null {
  const value = text(env, name);
  if (value !== null && !(URL.canParse(value) && /^postgres(ql)?:$/.test(new URL(value).protocol))) {
    throw new ConfigError(`${name} must be a postgres:// URL.`);
  }
  return value;
}

/** One server of a cluster is enough: it names the others. */
function natsUrl(env: Env): string | null {
  const value = text(env, 'NATS_URL');
  const fits = value === null || (URL.canParse(value) && /^(nats|tls):$/.test(new URL(value).protocol));
  if (!fits) throw new ConfigError('NATS_URL must be a nats:// or tls:// URL.');
  return value;
}

// What can stand in a header as it is.
const headerToken = /^[\x21-\x7e]+$/;

/** Keys verify signatures: an empty or trivial one would let anybody sign. */
function keys(env: Env, name: string, gateway: Config['gateway']): string[] {
  const value = text(env, name);
  if (value === null) {
    if (gateway === 'oxapay') throw new ConfigError(`${name} must be set with GATEWAY=oxapay.`);
    return [];
  }
  const list = value.split(',').map((key) => key.trim());
  if (list.some((key) => key.length < 8 || !headerToken.test(key) || /^(undefined|null)$/i.test(key))) {
    throw new ConfigError(
      `${name} must be one or more keys of at least 8 characters (ASCII, no spaces), separated by commas.`,
    );
  }
  return list;
}

/** A proof by a key that can be guessed proves nothing. */
function checkpointKeys(env: Env): string[] {
  const list = text(env, 'CHECKPOINT_KEY')?.split(',') ?? [];
  const seeds = list.map((key) => key.trim());
  if (!seeds.every((seed) => isKey(seed) && new Set(Buffer.from(seed, 'base64')).size > 8)) {
    throw new ConfigError(
      'CHECKPOINT_KEY must be one or more keys of 32 random bytes in base64 (openssl rand -base64 32), separated by commas.',
    );
  }
  return seeds;
}

/** Callers send it in a header, so it has to fit there. */
function apiKey(env: Env, gateway: Config['gateway']): string | null {
  const value = secret(env, 'API_KEY', 32, gateway);
  if (value !== null && !headerToken.test(value)) throw new ConfigError('API_KEY must be ASCII without spaces.');
  return value;
}

/** Whoever may look only must not log in as somebody who may act. */
function viewPassword(env: Env): string | null {
  const value = text(env, 'OPS_VIEW_PASSWORD');
  if (value === null) return null;
  if (value.length < 12 || value.length > 255 || value === text(env, 'OPS_PASSWORD'))
    throw new ConfigError('OPS_VIEW_PASSWORD must be 12 to 255 characters long, and not that of OPS_PASSWORD.');
  return value;
}

function secret(env: Env, name: string, least: number, gateway: Config['gateway']): string | null {
  const value = text(env, name);
  if (value === null) {
    if (gateway === 'oxapay') throw new ConfigError(`${name} must be set with GATEWAY=oxapay.`);
    return null;
  }
  if (value.length < least || value.length > 255) {
    throw new ConfigError(`${name} must be ${String(least)} to 255 characters long.`);
  }
  return value;
}
