import { describe, expect, it } from '@jest/globals';

import { readCurrencies, readEnvelope, readInvoice, readPayoutPage } from '../../src/gateway/answers.js';
import { WireError } from '../../src/gateway/fields.js';
import { readCallback, readPayment, readPayout } from '../../src/gateway/wire.js';
import { sample } from './samples.js';

const polTransfer = {
  txHash: 'x',
  status: 'confirmed',
  currency: 'POL',
  network: 'Polygon Network',
  address: 'x',
  senderAddress: 'x',
  sentAmount: '10',
  receivedAmount: '9.85',
  valueUsd: '3.6839',
  confirmations: 250,
  seenAt: '2025-02-02T11:00:35.000Z',
};

const polPayment = {
  trackId: '151811887',
  orderId: 'ORD-12345',
  type: 'invoice',
  status: 'paid',
  amount: '10',
  currency: 'POL',
  valueUsd: '3.6839',
  transfers: [polTransfer],
  createdAt: '2025-02-02T10:58:20.000Z',
  expiresAt: null,
  terms: null,
};

const usdtTransfer = {
  txHash: '0x1111111111111111111111111111111111111111111111111111111111111111',
  status: 'confirmed',
  currency: 'USDT',
  network: 'Tron Network',
  address: 'TExampleAddressNotForUse00000000000',
  senderAddress: 'TExampleSenderNotForUse000000000000',
  sentAmount: '25',
  receivedAmount: '24.9',
  valueUsd: '25',
  confirmations: 20,
  seenAt: '2025-10-09T08:58:20.000Z',
};

const usdPayment = {
  ...polPayment,
  currency: 'USD',
  amount: '25',
  valueUsd: '25',
  transfers: [usdtTransfer],
  createdAt: '2025-10-09T08:53:20.000Z',
};

const polPayout = {
  trackId: '227296189',
  status: 'confirmed',
  amount: '10',
  currency: 'POL',
  network: 'Polygon Network',
  address: 'x',
  fee: null,
  txHash: 'x',
  description: 'Order #12345',
  createdAt: '2025-02-02T10:31:56.000Z',
};

describe('callbacks as published', () => {
  it('an invoice that is paid', () => {
    expect(readCallback(sample('published-webhook-invoice-paid'))).toEqual({ kind: 'payment', report: polPayment });
  });

  it.each(['published-webhook-invoice-paying', 'published-webhook-invoice-paying-older-without-sent_value'])(
    'an invoice that is being paid: %s',
    (name) => {
      expect(readCallback(sample(name))).toEqual({
        kind: 'payment',
        report: {
          ...polPayment,
          status: 'paying',
          transfers: [{ ...polTransfer, status: 'confirming', confirmations: 10 }],
        },
      });
    },
  );

  it('payouts that are under way, done and failed', () => {
    expect(readCallback(sample('published-webhook-payout-confirming'))).toEqual({
      kind: 'payout',
      report: { ...polPayout, status: 'confirming' },
    });
    expect(readCallback(sample('published-webhook-payout-confirmed'))).toEqual({ kind: 'payout', report: polPayout });
    expect(readCallback(sample('published-webhook-payout-failed'))).toEqual({
      kind: 'payout',
      report: { ...polPayout, trackId: '227652478', status: 'failed', txHash: null },
    });
  });

  it('the signed body with an exponent, a null and a placeholder for a hash', () => {
    const { raw_body } = JSON.parse(sample('vector-hmac-sha512-selfmade').toString()) as { raw_body: string };
    // Its one transfer names no coin, so that what it is worth cannot be told: set aside, with the id to ask about.
    expect(readCallback(Buffer.from(raw_body))).toEqual({
      kind: 'unreadable',
      reason: 'missing_field',
      trackId: '120916648',
      about: 'payment',
    });
    const whole = raw_body.replace('"tx_hash":"sandbox"', '"tx_hash":"sandbox","currency":"BTC","sender_address":null');
    expect(readCallback(Buffer.from(whole))).toEqual({
      kind: 'payment',
      report: {
        ...polPayment,
        trackId: '120916648',
        orderId: 'A/1',
        amount: '12',
        currency: 'TRX',
        valueUsd: '3.3192',
        createdAt: '2025-06-12T08:26:40.000Z',
        transfers: [
          {
            txHash: 'sandbox',
            status: 'confirmed',
            currency: 'BTC',
            network: '',
            address: null,
            senderAddress: null,
            sentAmount: '0.00003079',
            receivedAmount: '0.00003079',
            valueUsd: null,
            confirmations: null,
            seenAt: null,
          },
        ],
      },
    });
  });
});

describe('callbacks as inferred', () => {
  it.each([
    ['inferred-webhook-white_label-paid', { trackId: '300000001', orderId: 'ORD-WL-1', type: 'white_label' }],
    ['inferred-webhook-payment_link-paid', { trackId: '300000003', orderId: null, type: 'payment_link' }],
    ['inferred-webhook-donation-paid', { trackId: '300000004', orderId: null, type: 'donation' }],
    [
      'inferred-webhook-static_address-paid-first-deposit',
      { trackId: '300000002', orderId: 'user-42', type: 'static_address', amount: null, currency: 'USDT' },
    ],
    [
      'inferred-webhook-invoice-underpaid',
      {
        trackId: '300000007',
        orderId: 'ORD-UP-1',
        status: 'underpaid',
        transfers: [{ ...usdtTransfer, sentAmount: '10', receivedAmount: '9.96', valueUsd: '10' }],
      },
    ],
    [
      'inferred-webhook-invoice-expired-late-payment',
      {
        trackId: '300000006',
        orderId: 'ORD-LATE-1',
        status: 'expired',
        transfers: [{ ...usdtTransfer, seenAt: '2025-10-10T12:39:59.000Z' }],
      },
    ],
  ])('%s', (name, differences) => {
    expect(readCallback(sample(name))).toEqual({ kind: 'payment', report: { ...usdPayment, ...differences } });
  });
});

describe('answers as published', () => {
  const dataOf = (name: string) => {
    const envelope = readEnvelope(200, sample(name));
    if (envelope.kind !== 'ok') throw new Error(`${name} is ${envelope.kind}`);
    return envelope.data;
  };

  it('a payment that is paid, with the terms that the gateway applies', () => {
    expect(readPayment(dataOf('published-api-payment-information-paid'))).toEqual({
      trackId: '168931368',
      orderId: 'ORD-12345',
      type: 'invoice',
      status: 'paid',
      amount: '15',
      currency: 'USD',
      valueUsd: null,
      transfers: [
        {
          txHash: '0x2DehmnxMDFMhS3KHXCPpGSx41NeLBjH34q5vjN1oGbUDFFAMC9rG3',
          status: 'confirmed',
          currency: 'ETH',
          network: 'Ethereum Network',
          address: 'HEHCVjnxD8cQrFwfo4k9WXJXErpmK9Ym1nRaEiJJ8DP4',
          senderAddress: null,
          sentAmount: '0.00613418',
          receivedAmount: null,
          valueUsd: null,
          confirmations: 11,
          seenAt: '2024-10-05T08:42:16.000Z',
        },
      ],
      createdAt: '2024-10-05T08:37:55.000Z',
      expiresAt: '2024-10-05T09:37:55.000Z',
      terms: { underPaidCoverage: '21.5', feePaidByPayer: false, mixedPayment: false },
    });
  });

  it('an invoice that was made', () => {
    expect(readInvoice(dataOf('published-api-generate-invoice-sdk-test'))).toEqual({
      trackId: '193139644',
      paymentUrl: 'https://pay.oxapay.com/13355044/193139644',
      expiresAt: '2025-08-24T01:37:58.000Z',
      payTo: null,
    });
  });

  it('a payout, and the list with it', () => {
    const payout = {
      trackId: '258298351',
      status: 'processing',
      amount: '0.02',
      currency: 'BTC',
      network: 'Bitcoin Network',
      address: '1AmH3Qz2LooYa1YSyLhySuatwoRMsfznPJ',
      fee: '0.00001',
      txHash: null,
      description: 'test',
      createdAt: '2025-01-10T09:31:10.000Z',
    };
    expect(readPayout(dataOf('published-api-payout-information-processing'))).toEqual(payout);
    expect(readPayoutPage(dataOf('published-api-payout-history'))).toEqual({
      reports: [payout],
      unread: [],
      page: 1,
      lastPage: 1,
    });
  });

  it('the coins that are accepted', () => {
    expect(readCurrencies(dataOf('published-api-accepted-currencies'))).toEqual([
      'BTC',
      'ETH',
      'USDT',
      'USDC',
      'BNB',
      'DOGE',
    ]);
  });

  it('an answer with nothing in it is a success, and no invoice', () => {
    const data = dataOf('published-api-revoke-static-address');
    expect(() => readInvoice(data)).toThrow(WireError);
  });

  it.each([
    'published-api-generate-static-address-doc-example-WRONG',
    'published-api-account-balance-sdk-test',
    'published-api-static-address-list-first-row',
  ])('%s is a success, and not the payment, payout or invoice that it is not', (name) => {
    const data = dataOf(name);
    expect(() => readInvoice(data)).toThrow(WireError);
    expect(() => readPayment(data)).toThrow(WireError);
    expect(() => readPayout(data)).toThrow(WireError);
  });

  it('errors, with the field at fault where it is named', () => {
    expect(readEnvelope(400, sample('inferred-api-error-400-validation'))).toEqual({
      kind: 'error',
      status: 400,
      field: 'lifetime',
      message: 'The lifetime field must be an integer.',
    });
    expect(readEnvelope(401, sample('inferred-api-error-401'))).toEqual({
      kind: 'error',
      status: 401,
      field: null,
      message: '',
    });
  });
});
