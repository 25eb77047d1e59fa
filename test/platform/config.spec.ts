import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ConfigError, readConfig } from '../../src/platform/config.js';

const live = {
  GATEWAY: 'oxapay',
  PUBLIC_URL: 'https://pay.example',
  OXAPAY_MERCHANT_API_KEY: 'MERCHA-NTKEY0-000001',
  OXAPAY_PAYOUT_API_KEY: 'PAYOUT-KEY000-000001',
  API_KEY: 'k'.repeat(32),
  OPS_PASSWORD: 'o'.repeat(12),
};

function complaint(env: Record<string, string>): string {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

/** Wrong values for each variable. */
const wrong: Record<string, string[]> = {
  PORT: ['-1', '65536', '3000.5', '1e3', '0x10', 'http', '3000;', '٣'],
  SANDBOX_PORT: ['-1', '65536', 'none', '99999999999999999999'],
  HOST: ['two words', 'http://0.0.0.0', 'host:3000', '256.256.256.256.256/8', 'ho\nst'],
  PUBLIC_URL: [
    'pay.example',
    'ftp://pay.example',
    'javascript:alert(1)',
    'https://',
    'https://user:secret@pay.example',
    'https://pay.example/?x=1',
    'https://pay.example/#x',
  ],
  DATABASE_URL: ['mysql://user:secret@host/db', 'host/db', 'postgres-host', 'https://host/db'],
  DATABASE_DIRECT_URL: ['mysql://user:secret@host/db', 'host/db', 'https://host/db'],
  DATABASE_STANDBY_URL: ['mysql://user:secret@host/db', 'host/db', 'https://host/db'],
  DATABASE_NAMED_STATEMENTS: ['yes', 'true', 'ON'],
  NATS_URL: ['localhost:4222', 'http://user:secret@host:4222', 'nats'],
  GATEWAY: ['Sandbox', 'stripe', 'sandbox,oxapay', 'toString'],
  OXAPAY_BASE_URL: [
    'api.oxapay.com',
    'file:///etc/passwd',
    'https://u:secret@api.oxapay.com/v1',
    'https://api.oxapay.com/v1?key=1',
  ],
  OXAPAY_MERCHANT_API_KEY: [
    'short',
    'undefined',
    'long-enough-key-1,',
    'long-enough-key-1,,long-enough-key-2',
    'long enough key',
    'long-enough-key-ü',
    'long-enough\nkey',
  ],
  OXAPAY_PAYOUT_API_KEY: ['short', 'undefined,undefined', 'null-is-fine-but,null', 'long enough key'],
  API_KEY: ['k'.repeat(31), 'k'.repeat(256), `${'k'.repeat(20)} ${'k'.repeat(20)}`, `${'k'.repeat(40)}ü`],
  OPS_PASSWORD: ['o'.repeat(11), 'o'.repeat(256)],
  OPS_VIEW_PASSWORD: ['o'.repeat(11), 'o'.repeat(256)],
  OTEL_EXPORTER_OTLP_ENDPOINT: ['collector:4318', 'grpc://collector:4317', 'http://user:secret@collector:4318'],
  LOG_LEVEL: ['INFO', 'verbose', '3'],
  GO_AHEAD_AFTER_SILENCE_MINUTES: ['0', '4', '1441', 'never'],
  RATE_LIMIT_PER_MINUTE: ['0', '-5', 'many', '1000000000'],
  GATEWAY_REQUESTS_PER_SECOND: ['0', '1001', '2.5', 'ten'],
  CHECKPOINT_MINUTES: ['0', '1441', 'hourly'],
  CHECKPOINT_KEY: [
    'a password of its own',
    Buffer.alloc(32).toString('base64'),
    Buffer.from('too short, by one byte and more').toString('base64'),
    Buffer.from('a seed of thirty-two bytes, made').toString('hex'),
    `${Buffer.from('a seed of thirty-two bytes, made').toString('base64')},`,
  ],
};

describe('The configuration', () => {
  it('has the documented defaults where nothing is set', () => {
    expect(readConfig({})).toMatchObject({
      port: 3000,
      host: '127.0.0.1',
      publicUrl: 'http://localhost:3000',
      databaseUrl: null,
      databaseDirectUrl: null,
      databaseStandbyUrl: null,
      namedStatements: true,
      natsUrl: null,
      gateway: 'sandbox',
      sandboxPort: 3100,
      oxapayBaseUrl: 'https://api.oxapay.com/v1',
      merchantKeys: [],
      payoutKeys: [],
      apiKey: null,
      opsPassword: null,
      opsViewPassword: null,
      logLevel: 'info',
      gatewayRequestsPerSecond: 10,
      tracesEndpoint: null,
      serviceName: 'finality',
      checkpointKeys: [],
      checkpointMinutes: 60,
    });
    expect(readConfig({}).checkpointDir).toMatch(/\/\.finality\/checkpoints$/);
    expect(readConfig({}).dataDir).toMatch(/\/\.finality$/);
  });

  it('takes an unset variable and a blank one for the same', () => {
    const blank = Object.fromEntries(Object.keys(wrong).map((name) => [name, '  ']));
    expect(readConfig(blank)).toEqual(readConfig({}));
  });

  it('takes several gateway keys and the usual shapes of addresses', () => {
    const config = readConfig({
      ...live,
      OXAPAY_MERCHANT_API_KEY: ' first-key-1 , second-key-2 ',
      HOST: '::1',
      PUBLIC_URL: 'https://pay.example/base/',
      DATABASE_URL: 'postgresql://u:p@h:5432/d',
      DATABASE_STANDBY_URL: 'postgres://u:p@standby:5432/d',
      NATS_URL: 'nats://u:p@nats.internal:4222',
    });
    expect(config.merchantKeys).toEqual(['first-key-1', 'second-key-2']);
    expect(config).toMatchObject({
      host: '::1',
      publicUrl: 'https://pay.example/base',
      databaseUrl: 'postgresql://u:p@h:5432/d',
      databaseStandbyUrl: 'postgres://u:p@standby:5432/d',
      natsUrl: 'nats://u:p@nats.internal:4222',
    });
    for (const HOST of ['0.0.0.0', 'localhost', 'my-host.internal', 'fe80::1%eth0'])
      expect(readConfig({ HOST }).host).toBe(HOST);
  });

  it.each(Object.entries(wrong).flatMap(([name, values]) => values.map((value) => [name, value] as const)))(
    'refuses %s=%j in one sentence that names it and never its value',
    (name, value) => {
      for (const base of [{}, live]) {
        const told = complaint({ ...base, [name]: value });
        expect(told).toMatch(new RegExp(`^${name} [^\\n]*\\.$`));
        if (value.length > 4) expect(told).not.toContain(value);
        expect(told).not.toContain('secret');
      }
    },
  );

  it('needs a way past a pooler that cannot keep prepared statements apart', () => {
    const pooled = { DATABASE_URL: 'postgres://u:p@pooler/d', DATABASE_NAMED_STATEMENTS: 'off' };
    expect(complaint(pooled)).toMatch(/^DATABASE_DIRECT_URL must be set with DATABASE_NAMED_STATEMENTS=off/);
    expect(readConfig({ ...pooled, DATABASE_DIRECT_URL: 'postgres://u:p@h/d' })).toMatchObject({
      databaseDirectUrl: 'postgres://u:p@h/d',
      namedStatements: false,
    });
    for (const name of ['DATABASE_DIRECT_URL', 'DATABASE_STANDBY_URL'])
      expect(complaint({ [name]: 'postgres://u:p@h/d' })).toMatch(/^DATABASE_URL must be set/);
  });

  it('does not let the password that only looks be the one that acts', () => {
    expect(complaint({ ...live, OPS_VIEW_PASSWORD: live.OPS_PASSWORD })).toMatch(/^OPS_VIEW_PASSWORD must be/);
  });

  it.each(['PUBLIC_URL', 'OXAPAY_MERCHANT_API_KEY', 'OXAPAY_PAYOUT_API_KEY', 'API_KEY', 'OPS_PASSWORD'])(
    'misses %s with GATEWAY=oxapay',
    (name) => {
      expect(complaint({ ...live, [name]: '' })).toMatch(
        new RegExp(`^${name} must be set with GATEWAY=oxapay[^\\n]*\\.$`),
      );
      expect(complaint(live)).toBe('');
    },
  );

  it('throws nothing but its own error, whatever the environment holds, and tells no value', () => {
    const secret = fc.string({ minLength: 6, maxLength: 40 }).map((text) => `v4lue-${text}`);
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(wrong)), fc.oneof(secret, fc.string(), fc.webUrl()), (name, value) => {
        const told = complaint({ ...live, [name]: value });
        if (told === '') return;
        expect(told.startsWith(name)).toBe(true);
        expect(told).not.toContain('v4lue-');
        expect(told.match(/\./g)?.length).toBeGreaterThan(0);
      }),
      { numRuns: 500 },
    );
  });
});
