import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { gatewayStatuses, type GatewayReport } from '../../src/payments/payment-gateway.js';
import { wireFaults } from '../../src/gateway/fields.js';
import { contentOf, readCallback, readPayment, type CallbackReading } from '../../src/gateway/wire.js';
import { parseJson } from '../../src/kernel/json.js';
import { callbackText, callbackWith, callbackWithTransfer, sample } from './samples.js';

const reasonOf = (reading: CallbackReading): string => (reading.kind === 'unreadable' ? reading.reason : reading.kind);

function reportOf(raw: Buffer): GatewayReport {
  const reading = readCallback(raw);
  if (reading.kind !== 'payment') throw new Error(`not a payment: ${reasonOf(reading)}`);
  return reading.report;
}

const read = (changes: Record<string, unknown>): CallbackReading => readCallback(Buffer.from(callbackText(changes)));
const amountOf = (literal: string): string | null => reportOf(callbackWith('amount', literal)).amount;
const sentOf = (literal: string): string | undefined =>
  reportOf(callbackWithTransfer('sent_amount', literal)).transfers[0]?.sentAmount;

describe('the bytes of a callback', () => {
  const text = callbackText();

  it.each([
    ['nothing', Buffer.alloc(0), 'not_json'],
    ['rubbish', Buffer.from('status=Paid&track_id=1'), 'not_json'],
    ['a callback cut off', Buffer.from(text.slice(0, -1)), 'not_json'],
    ['a callback and more', Buffer.from(`${text}{}`), 'not_json'],
    ['a byte order mark', Buffer.from(`\ufeff${text}`), 'not_utf8'],
    ['UTF-16', Buffer.from(text, 'utf16le'), 'not_json'],
    ['UTF-16 with its mark', Buffer.from(`\ufeff${text}`, 'utf16le'), 'not_utf8'],
    ['Latin-1', Buffer.from(text.replace('Test', 'T\u00e9st'), 'latin1'), 'not_utf8'],
    ['a raw NUL', Buffer.from(text.replace('Test', 'T\u0000st')), 'not_json'],
    ['an escaped NUL', Buffer.from(text.replace('Test', 'T\\u0000st')), 'forbidden_character'],
    ['a lone surrogate', Buffer.from(text.replace('Test', 'T\\ud800st')), 'forbidden_character'],
    [
      'two statuses',
      Buffer.from(text.replace('"status":"Paid"', '"status":"Paying","status":"Paid"')),
      'duplicate_key',
    ],
    ['a prototype', Buffer.from(text.replace('"note":', '"__proto__":')), 'forbidden_key'],
    ['20,000 arrays', Buffer.from('['.repeat(20_000)), 'too_deep'],
    ['depth 17 in a field that we do not use', callbackWith('note', '['.repeat(16) + ']'.repeat(16)), 'too_deep'],
    ['null', Buffer.from('null'), 'missing_field'],
    ['a number', Buffer.from('12'), 'wrong_type'],
    ['a text', Buffer.from('"Paid"'), 'wrong_type'],
    ['a list', Buffer.from(`[${text}]`), 'wrong_type'],
    ['an empty object', Buffer.from('{}'), 'missing_field'],
    [
      'a callback of the interface before v1',
      Buffer.from('{"status":"Paid","trackId":"1","amount":"10","currency":"TRX","orderId":"A","type":"payment"}'),
      'legacy_format',
    ],
  ])('%s: set aside, with the reason', (_what, raw, reason) => {
    expect(reasonOf(readCallback(raw))).toBe(reason);
  });

  it('are read down to depth 16', () => {
    expect(reasonOf(readCallback(callbackWith('note', '['.repeat(15) + ']'.repeat(15))))).toBe('payment');
  });

  it('set aside still tell whom to ask about, where one id stands in them', () => {
    const about = (raw: Buffer) => {
      const reading = readCallback(raw);
      return reading.kind === 'unreadable' ? reading.trackId : 'readable';
    };
    expect(about(Buffer.from(callbackText({ status: 'Disputed' })))).toBe('151811887');
    expect(about(callbackWith('amount', '1e400'))).toBe('151811887');
    expect(about(Buffer.from('{"trackId":"7","status":"Paid"}'))).toBe('7');
    expect(about(Buffer.from('{"track_id":9007199254740993,"status":"Paid","amount":-1}'))).toBe('9007199254740993');
    expect(about(Buffer.from('{"track_id":"1","status":"Paid","status":"Paying"}'))).toBe('1');
    expect(about(Buffer.from('{"track_id": 12, "status":'))).toBe('12');
    expect(about(Buffer.from('{"track_id":"1","track_id":"2"}'))).toBeNull();
    expect(about(Buffer.from('{"track_id":"../payout","status":"x"}'))).toBeNull();
    expect(about(Buffer.from('[]'))).toBeNull();
  });

  it('whatever they are, give a reading', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const reading = readCallback(bytes);
        expect(reading.kind === 'unreadable' && wireFaults.includes(reading.reason)).toBe(true);
      }),
    );
  });

  it('whatever JSON they hold, give a reading', () => {
    fc.assert(fc.property(fc.json(), (json) => void reasonOf(readCallback(Buffer.from(json)))));
  });

  it('with any JSON in place of any members, give a reading', () => {
    const members = Object.keys(JSON.parse(callbackText()) as object);
    const changes = fc.dictionary(fc.constantFrom(...members), fc.jsonValue(), { maxKeys: 4 });
    fc.assert(
      fc.property(changes, (changed) => {
        const reading = read(changed);
        if (reading.kind === 'unreadable') expect(wireFaults).toContain(reading.reason);
      }),
    );
  });

  it('with any JSON in a transfer, give a reading', () => {
    const keys = ['status', 'tx_hash', 'sent_amount', 'received_amount', 'value', 'currency', 'confirmations', 'date'];
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()), (tx) => {
        const reading = read({ txs: [tx] });
        if (reading.kind === 'unreadable') expect(wireFaults).toContain(reading.reason);
      }),
    );
  });
});

describe('amounts', () => {
  it.each([
    ['3.079e-5', '0.00003079'],
    ['"3.079e-5"', '0.00003079'],
    ['10.5', '10.5'],
    ['10.500', '10.5'],
    ['"10.50"', '10.5'],
    ['1E3', '1000'],
    ['1.25e+1', '12.5'],
    ['1e-7', '0.0000001'],
    ['0.1', '0.1'],
    ['9007199254740993', '9007199254740993'],
    ['0.123456789012345678', '0.123456789012345678'],
    ['123456789012345678.123456789012345678', '123456789012345678.123456789012345678'],
    ['100', '100'],
    ['1.0e2', '100'],
    ['0.00120e1', '0.012'],
  ])('%s is exactly %s', (literal, plain) => {
    expect(amountOf(literal)).toBe(plain);
    expect(sentOf(literal)).toBe(plain);
  });

  it.each(['0', '0.0', '"0"', '0e5', 'null'])('%s is no amount asked for, where none has to be', (literal) => {
    const raw = callbackWith('amount', literal).toString().replace('"invoice"', '"static_address"');
    expect(reportOf(Buffer.from(raw)).amount).toBeNull();
  });

  it.each(['0', '0.0', '"0"', '0e5', '0.1234567890123456789'])('%s is none that an invoice can be for', (literal) => {
    expect(reasonOf(readCallback(callbackWith('amount', literal)))).toBe('absurd_number');
    expect(amountOf('null')).toBeNull();
  });

  it('of transfers keep the digits that a coin does not have: the gateway computes them', () => {
    expect(sentOf('0.1234567890123456789')).toBe('0.1234567890123456789');
  });

  it.each([
    '1e400',
    '1e-400',
    '-1',
    '-0',
    '-0.5',
    '"-1"',
    '"NaN"',
    '"Infinity"',
    '"-Infinity"',
    '1'.repeat(40),
    `0.${'1'.repeat(40)}`,
    '1e39',
    '1e-40',
    '1e99999999999999999999',
    '"007"',
    '9'.repeat(5000),
  ])('%s is absurd', (literal) => {
    expect(reasonOf(readCallback(callbackWith('amount', literal)))).toBe('absurd_number');
    expect(reasonOf(readCallback(callbackWithTransfer('sent_amount', literal)))).toBe('absurd_number');
    expect(reasonOf(readCallback(callbackWith('value', literal)))).toBe('absurd_number');
  });

  it.each([
    '"12abc"',
    '"0x10"',
    '" 12 "',
    '""',
    '"1,5"',
    '"١٢"',
    '"１２"',
    '"1_000"',
    '"+1"',
    '".5"',
    '"5."',
    '"12\\n"',
    'true',
    'false',
    '[10]',
    '{}',
    '[]',
  ])('%s is none', (literal) => {
    expect(reasonOf(readCallback(callbackWith('amount', literal)))).toBe('wrong_type');
    expect(reasonOf(readCallback(callbackWithTransfer('received_amount', literal)))).toBe('wrong_type');
  });

  it('come out as they went in, digit for digit', () => {
    const digits = (min: number, max: number) => fc.stringMatching(new RegExp(`^[0-9]{${min},${max}}$`));
    const whole = fc.oneof(
      fc.constant('0'),
      fc.tuple(fc.stringMatching(/^[1-9]$/), digits(0, 18)).map((p) => p.join('')),
    );
    const fraction = fc.oneof(
      fc.constant(''),
      fc.tuple(digits(0, 17), fc.stringMatching(/^[1-9]$/)).map((p) => `.${p.join('')}`),
    );
    fc.assert(
      fc.property(whole, fraction, fc.boolean(), (left, right, quoted) => {
        const plain = left + right;
        fc.pre(plain !== '0');
        expect(amountOf(quoted ? `"${plain}"` : plain)).toBe(plain);
      }),
      { numRuns: 500 },
    );
  });

  it('mean the same with an exponent as without', () => {
    const mantissa = fc.tuple(fc.bigInt({ min: 1n, max: 10n ** 15n }), fc.integer({ min: -18, max: 18 }));
    fc.assert(
      fc.property(mantissa, ([value, exponent]) => {
        const shifted = value * 10n ** BigInt(exponent + 18);
        const read_ = amountOf(`${value}e${exponent}`) ?? '';
        const [left = '', right = ''] = read_.split('.');
        expect(BigInt(left + right.padEnd(18, '0'))).toBe(shifted);
      }),
      { numRuns: 500 },
    );
  });
});

describe('statuses', () => {
  const statusOf = (status: string): string => {
    const reading = read({ status });
    return reading.kind === 'payment' ? reading.report.status : reasonOf(reading);
  };

  it.each(
    gatewayStatuses.flatMap(
      (word) =>
        [
          [word, word],
          [word.toUpperCase(), word],
        ] as const,
    ),
  )('%s is %s', (given, word) => {
    expect(statusOf(given)).toBe(word);
  });

  it.each([
    ['Manual_Accept', 'manual_accept'],
    ['Manual Accept', 'manual_accept'],
    ['manual-accept', 'manual_accept'],
    ['Confirming', 'paying'],
  ])('%s is %s', (given, word) => {
    expect(statusOf(given)).toBe(word);
  });

  it.each([
    'Disputed',
    'pa\u0131d',
    'PA\u0130D',
    'pa\u0456d',
    'under\u212Aaid',
    'paid ',
    ' paid',
    'pa id',
    'constructor',
    'toString',
  ])('%j is unknown', (given) => {
    expect(statusOf(given)).toBe('unknown_status');
  });

  it('of other types are none', () => {
    expect(reasonOf(read({ status: 1 }))).toBe('wrong_type');
    expect(reasonOf(read({ status: ['Paid'] }))).toBe('wrong_type');
    expect(reasonOf(read({ status: null }))).toBe('missing_field');
    expect(reasonOf(read({ status: undefined }))).toBe('missing_field');
    expect(reasonOf(read({ status: '' }))).toBe('missing_field');
  });

  it('of a transfer: an unknown one is not final', () => {
    const of = (literal: string) => reportOf(callbackWithTransfer('status', literal)).transfers[0]?.status;
    expect(of('"confirmed"')).toBe('confirmed');
    expect(of('"Confirmed"')).toBe('confirmed');
    expect(of('"FAILED"')).toBe('failed');
    expect(of('"confirming"')).toBe('confirming');
    expect(of('"replaced"')).toBe('confirming');
    expect(of('null')).toBe('confirming');
  });

  it('of a payout: both spellings of canceled are one, and unknown ones are set aside', () => {
    const payout = JSON.parse(sample('published-webhook-payout-failed').toString()) as object;
    const of = (status: string) => {
      const reading = readCallback(Buffer.from(JSON.stringify({ ...payout, status })));
      return reading.kind === 'payout' ? reading.report.status : reasonOf(reading);
    };
    expect(of('Canceled')).toBe('canceled');
    expect(of('cancelled')).toBe('canceled');
    expect(of('REJECTED')).toBe('rejected');
    expect(of('Complete')).toBe('unknown_status');
    expect(of('Paid')).toBe('unknown_status');
    for (const word of ['processing', 'pending', 'confirming', 'confirmed', 'canceled', 'rejected', 'failed']) {
      const spellings = [word, word.toUpperCase(), word.charAt(0).toUpperCase() + word.slice(1)];
      expect(spellings.map(of)).toEqual([word, word, word]);
    }
  });

  it('of a payout: what it is worth is not looked at, and a description of digits is text', () => {
    const payout = JSON.parse(sample('published-webhook-payout-confirmed').toString()) as object;
    const of = (members: object) => readCallback(Buffer.from(JSON.stringify({ ...payout, ...members })));
    for (const value of [undefined, null, -1, 'n/a', {}]) expect(of({ value })).toEqual(of({}));
    expect(of({ description: 42 })).toMatchObject({ kind: 'payout', report: { description: '42' } });
    expect(of({ description: null })).toMatchObject({ kind: 'payout', report: { description: null } });
  });
});

describe('the other members', () => {
  it('a track id keeps its digits, as a text or as a number', () => {
    expect(reportOf(callbackWith('track_id', '9007199254740993')).trackId).toBe('9007199254740993');
    expect(reportOf(callbackWith('track_id', '"9007199254740993"')).trackId).toBe('9007199254740993');
    expect(reportOf(callbackWith('track_id', '"007"')).trackId).toBe('007');
  });

  it.each([
    ['null', 'missing_field'],
    ['""', 'missing_field'],
    ['-1', 'wrong_type'],
    ['1.5', 'wrong_type'],
    ['1e9', 'wrong_type'],
    ['"1/../2"', 'wrong_type'],
    [`"${'1'.repeat(65)}"`, 'wrong_type'],
    ['true', 'wrong_type'],
    ['["1"]', 'wrong_type'],
  ])('a track id %s is none (%s)', (literal, reason) => {
    expect(reasonOf(readCallback(callbackWith('track_id', literal)))).toBe(reason);
  });

  it('may be absent or null, but for the id, the status and what a transfer is made of', () => {
    const bare = {
      trackId: '1',
      orderId: null,
      type: '',
      status: 'paid',
      amount: null,
      currency: null,
      valueUsd: null,
    };
    const rest = { transfers: [], createdAt: null, expiresAt: null, terms: null };
    expect(reportOf(Buffer.from('{"track_id":"1","status":"Paid"}'))).toEqual({ ...bare, ...rest });
    const nulls =
      '{"track_id":1,"status":"Paid","type":null,"order_id":null,"amount":null,"currency":null,"value":null,' +
      '"txs":null,"date":null,"note":null,"email":null,"sent_value":null,"under_paid_coverage":null}';
    expect(reportOf(Buffer.from(nulls))).toEqual({ ...bare, ...rest });
  });

  it.each([
    'status',
    'tx_hash',
    'network',
    'sender_address',
    'address',
    'confirmations',
    'date',
    'received_amount',
    'value',
  ])('%s of a transfer may be null', (member) => {
    expect(reportOf(callbackWithTransfer(member, 'null')).transfers).toHaveLength(1);
  });

  it.each(['sent_amount', 'currency'])('%s of a transfer may not be null', (member) => {
    expect(reasonOf(readCallback(callbackWithTransfer(member, 'null')))).toBe('missing_field');
  });

  it('that nobody knows are passed over', () => {
    const before = reportOf(Buffer.from(callbackText()));
    expect(reportOf(Buffer.from(callbackText({ discount: { percent: 5 }, note: ['?'], rate: 'x' })))).toEqual(before);
  });

  it('a new type is kept, and payouts are told apart in any spelling', () => {
    expect(reportOf(Buffer.from(callbackText({ type: 'Subscription' }))).type).toBe('subscription');
    const payout = sample('published-webhook-payout-failed').toString().replace('"payout"', '"PAYOUT"');
    expect(readCallback(Buffer.from(payout)).kind).toBe('payout');
  });

  it('a symbol is taken in capitals', () => {
    expect(reportOf(Buffer.from(callbackText({ currency: 'usdt' }))).currency).toBe('USDT');
  });

  it('an odd date is no date, and sets nothing aside', () => {
    for (const literal of ['0', '-1', '1e9', '1738493900.5', '1738493900000', '"yesterday"', 'true', '[]', '1e400']) {
      expect(reportOf(callbackWith('date', literal)).createdAt).toBeNull();
    }
    expect(reportOf(callbackWith('date', '1')).createdAt).toBe('1970-01-01T00:00:01.000Z');
    expect(reportOf(callbackWith('date', '253402300799')).createdAt).toBe('9999-12-31T23:59:59.000Z');
    expect(reportOf(callbackWith('date', '"1738493900"')).createdAt).toBe('2025-02-02T10:58:20.000Z');
  });

  it('texts over 256 characters and lists over 1,000 transfers are set aside whole', () => {
    const long = JSON.stringify('x'.repeat(257));
    expect(reasonOf(readCallback(callbackWithTransfer('tx_hash', long)))).toBe('text_too_long');
    expect(reasonOf(readCallback(callbackWithTransfer('address', long)))).toBe('text_too_long');
    expect(reasonOf(readCallback(callbackWith('order_id', long)))).toBe('text_too_long');
    expect(reasonOf(readCallback(callbackWith('description', JSON.stringify('x'.repeat(60_000)))))).toBe('payment');
    const tx = { sent_amount: 1, currency: 'USDT' };
    expect(reasonOf(read({ txs: Array<unknown>(1001).fill(tx) }))).toBe('too_many_transfers');
    expect(reasonOf(read({ txs: Array<unknown>(1000).fill(tx) }))).toBe('payment');
  });

  it.each(['"x"', '1', 'true', '{"0":{}}', '[1]', '["x"]', '[[]]'])('%s is no list of transfers', (literal) => {
    expect(reasonOf(readCallback(callbackWith('txs', literal)))).toBe('wrong_type');
  });

  it.each(['1.5', '-1', '12345678901', '"many"'])('%s is no number of confirmations', (literal) => {
    expect(['absurd_number', 'wrong_type']).toContain(
      reasonOf(readCallback(callbackWithTransfer('confirmations', literal))),
    );
  });

  it('of the terms: yes and no in every spelling seen', () => {
    const flag = (literal: string) =>
      readPayment(parseJson(`{"track_id":"1","status":"new","fee_paid_by_payer":${literal}}`)).terms?.feePaidByPayer;
    for (const yes of ['1', 'true', '"1"', '"true"', '"True"']) expect(flag(yes)).toBe(true);
    for (const no of ['0', 'false', '"0"', '"false"']) expect(flag(no)).toBe(false);
    for (const none of ['null', '""']) expect(flag(none)).toBeNull();
    for (const wrong of ['2', '"yes"', '[]', '{}', '1.0']) expect(() => flag(wrong)).toThrow('fee_paid_by_payer');
  });
});

describe('the content of a report', () => {
  const transfer = (hash: string, confirmations: number) => ({
    tx_hash: hash,
    confirmations,
    sent_amount: 1,
    currency: 'USDT',
    network: 'Tron Network',
    status: 'confirming',
  });
  const content = (changes: Record<string, unknown>) => contentOf(reportOf(Buffer.from(callbackText(changes))));

  it('is the same however it was written', () => {
    const once = reportOf(Buffer.from('{"track_id":"1","status":"Paid","amount":10.50,"currency":"USD"}'));
    const again = reportOf(
      Buffer.from('{ "currency":"usd", "amount":"10.5", "txs":[], "status":"PAID", "track_id":1 }'),
    );
    expect(contentOf(again)).toBe(contentOf(once));
  });

  it('does not depend on the order of the transfers, which the report keeps', () => {
    const a = transfer('a', 1);
    const b = transfer('b', 1);
    expect(content({ txs: [a, b] })).toBe(content({ txs: [b, a] }));
    expect(reportOf(Buffer.from(callbackText({ txs: [b, a] }))).transfers.map((tx) => tx.txHash)).toEqual(['b', 'a']);
  });

  it('differs with the status, the confirmations and every transfer, equal ones included', () => {
    const texts = [
      content({}),
      content({ status: 'Paying' }),
      content({ txs: [] }),
      content({ txs: [transfer('a', 1)] }),
      content({ txs: [transfer('a', 2)] }),
      content({ txs: [transfer('a', 1), transfer('a', 1)] }),
      content({ txs: [transfer('a', 1), transfer('b', 1)] }),
    ];
    expect(new Set(texts).size).toBe(texts.length);
  });

  it('of a payout differs from that of a payment', () => {
    const reading = readCallback(sample('published-webhook-payout-confirmed'));
    if (reading.kind !== 'payout') throw new Error('not a payout');
    expect(contentOf(reading.report)).toContain('"status":"confirmed"');
    expect(contentOf(reading.report)).not.toBe(content({}));
  });
});
