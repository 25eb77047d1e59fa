import { INVALID_SPAN_CONTEXT, trace } from '@opentelemetry/api';
import { describe, expect, it } from '@jest/globals';
import { AxiosError, AxiosHeaders } from 'axios';
import { createLog, NestLog } from '../../src/platform/logger.module.js';
import { Secrets } from '../../src/platform/secrets.js';
import { makeSpansBy, within } from '../../src/platform/spans.js';
import { injections } from '../support/injections.js';

const key = 'CANARY-KEY-"quoted\\"-0001';

function logger(): { lines: string[]; log: ReturnType<typeof createLog>; last: () => Record<string, unknown> } {
  const lines: string[] = [];
  const secrets = new Secrets();
  secrets.learn([key, 'pa/ss word+1', '', null, 'abc']);
  const log = createLog('trace', secrets, { write: (line) => lines.push(line) });
  return { lines, log, last: () => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> };
}

/** What a reader of lines may take for the end of one. */
const lineEnds = /[\r\n\v\f\u001c-\u001e\u0085\u2028\u2029]/;

describe('A line of the log', () => {
  it('BI16, W50: is one line of JSON, whatever stands in it', () => {
    expect(injections.length).toBeGreaterThanOrEqual(50);
    const { lines, log } = logger();
    const nest = new NestLog(log);
    for (const text of injections) {
      log.info({ msg: text, reason: text, [text]: text, nested: { list: [text, { text }] }, err: new Error(text) });
      nest.warn(text, text);
      nest.error({ msg: 'set aside', reason: text }, text, 'context');
    }
    expect(lines).toHaveLength(3 * injections.length);
    for (const line of lines) {
      expect(line.endsWith('\n')).toBe(true);
      expect(line.slice(0, -1)).not.toMatch(lineEnds);
      expect(line.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/);
      const { time, level, msg } = JSON.parse(line) as Record<string, unknown>;
      expect([typeof time, typeof level, typeof msg]).toEqual(['string', 'string', 'string']);
    }
  });

  it('W50: has no long values', () => {
    const { log, last } = logger();
    const long = 'x'.repeat(65_536);
    log.warn({
      msg: long,
      reason: long,
      deep: { list: [long] },
      [long]: 1,
      many: Array.from({ length: 999 }, () => 1),
    });
    const { msg, reason, deep, many, ...rest } = last();
    expect([msg, reason, deep]).toEqual([
      `${'x'.repeat(512)}…`,
      `${'x'.repeat(256)}…`,
      { list: [`${'x'.repeat(256)}…`] },
    ]);
    expect(many).toHaveLength(20);
    expect(Object.keys(rest).every((name) => name.length <= 257)).toBe(true);
  });

  it('BI8: holds no field that is secret by its name, however deep it stands', () => {
    const { lines, log } = logger();
    const fields = {
      authorization: 's3cr3t', HMAC: 's3cr3t', apiKey: 's3cr3t', merchant_api_key: 's3cr3t', webhookSecret: 's3cr3t',
      Password: 's3cr3t', statusToken: 's3cr3t', databaseUrl: 's3cr3t', email: 's3cr3t', sender_address: 's3cr3t',
    }; // prettier-ignore
    log.info({ msg: 'names', ...fields, a: { b: { c: fields }, list: [[fields]] } });
    expect(lines.join()).not.toContain('s3cr3t');
    expect(lines.join().match(/\[secret\]/g)?.length).toBe(3 * Object.keys(fields).length);
  });

  it('BI8: keeps of an error its name, words, code, stack and cause, and nothing of its request', () => {
    const { lines, log, last } = logger();
    const headers = new AxiosHeaders({ merchant_api_key: 's3cr3t', 'x-other': 's3cr3t' });
    const config = { url: 'http://gateway/?x=s3cr3t', headers, data: 's3cr3t' };
    const error = new AxiosError('Request failed', 'ECONNREFUSED', config, { headers, secret: 's3cr3t' });
    log.error({ msg: 'failed', err: new Error('outer', { cause: error }), error });
    log.error({ msg: 'both', err: new AggregateError([error, new Error('second')], 'all') });
    expect(lines.join()).not.toContain('s3cr3t');
    expect(last()).toMatchObject({
      err: { type: 'AggregateError', errors: [{ code: 'ECONNREFUSED' }, { message: 'second' }] },
    });
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      err: {
        type: 'Error',
        message: 'outer',
        stack: expect.stringContaining('logger.spec'),
        cause: { code: 'ECONNREFUSED' },
      },
    });
  });

  it('BI8: holds none of the known secrets, wherever in a text it stands, and still is JSON', () => {
    const { lines, log, last } = logger();
    log.info({ msg: `key ${key} in words`, reason: JSON.stringify({ key }), url: encodeURIComponent(key) });
    expect(last()).toMatchObject({ msg: 'key [secret] in words', url: '[secret]' });
    log.info(`as words only: ${key}, pa/ss word+1 and pa%2Fss%20word%2B1, but abc stays`);
    expect(last()['msg']).toBe('as words only: [secret], [secret] and [secret], but abc stays');
    expect(lines.join()).not.toContain('CANARY');
  });

  it.each([
    ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_[secret]'],
    ['fin_abcdefghijklmnopqrstuvwxyz0123456789', 'fin_[secret]'],
    ['Authorization: Bearer abcdefgh.ijkl', 'Authorization: Bearer [secret]'],
    ['postgres://user:hunter2@db.internal/finality', 'postgres://[secret]db.internal/finality'],
    ['GET /pay/Abc-123_Abc-123_Abc-123/events', 'GET /pay/[secret]/events'],
    ['/v1/payments?api_key=hunter2&limit=1', '/v1/payments?api_key=[secret]&limit=1'],
    ['to payer+1@mail.shop.example, refused', 'to [secret], refused'],
    ['TH4uxpapg6o3kcCEMtb2iQGNiRq29BtgNH refused', '[secret] refused'],
    ['0x52908400098527886E0F7030069857D2E4169EE7', '[secret]'],
    ['bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq', '[secret]'],
    ['1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2', '[secret]'],
  ])('BI8: hides %s by its shape', (text, shown) => {
    const { log, last } = logger();
    log.info({ msg: 'x', said: text });
    expect(last()['said']).toBe(shown);
  });

  it.each([
    '01890000-0000-7000-8000-000000000001',
    '4bf92f3577b34da6a3ce929d0e0e4736',
    'order-1001',
    '184203717',
    '49.90 USD',
  ])('leaves %s to be read', (text) => {
    const { log, last } = logger();
    log.info({ msg: text });
    expect(last()['msg']).toBe(text);
  });

  it('BI8: stays JSON where a secret is made of digits that a number has too', () => {
    const digits = new Secrets();
    digits.learn(['123456']);
    const line = digits.hide(JSON.stringify({ durationMs: 1234567.5, msg: 'the password 123456' }));
    expect(line).not.toContain('123456');
    expect(JSON.parse(line)).toEqual({ durationMs: 9999997.5, msg: 'the password 999999' });
  });

  it('carries the correlation id of the span that goes on, and its own where it names one', () => {
    const { log, last } = logger();
    const span = trace.wrapSpanContext(INVALID_SPAN_CONTEXT);
    const stop = makeSpansBy(() => span);
    within('01890000-0000-7000-8000-000000000001', span, () => log.info({ msg: 'inside' }));
    stop();
    expect(last()['correlationId']).toBe('01890000-0000-7000-8000-000000000001');
    log.info({ msg: 'outside' });
    expect(last()).not.toHaveProperty('correlationId');
  });
});
