import { describe, expect, it } from '@jest/globals';
import type { ReportedTransfer } from '../../src/payments/payment-gateway.js';
import { uniteTransfers } from '../../src/payments/transfers.js';
import type { Transfer } from '../../src/payments/worth.js';

const hash = 'a'.repeat(64);
const now = '2026-03-01T12:00:00.000Z';
const known: Transfer = {
  key: `${hash}:USDT`,
  txHash: hash,
  status: 'confirmed',
  currency: 'USDT',
  network: 'Tron Network',
  address: null,
  sentAmount: '25',
  receivedAmount: '24.9',
  valueUsd: '25',
  confirmations: 20,
  firstSeenAt: now,
  vouched: true,
};
const told = (sentAmount: string): ReportedTransfer => ({
  ...known,
  senderAddress: null,
  sentAmount,
  receivedAmount: sentAmount,
  confirmations: 21,
  seenAt: null,
});

describe('A transfer that the gateway has vouched for', () => {
  it('is vouched for no more when a callback tells of clearly more money in it', () => {
    const [changed] = uniteTransfers([known], [told('40')], { since: now, now });
    expect(changed).toMatchObject({ key: known.key, sentAmount: '40' });
    expect(changed).not.toHaveProperty('vouched');
  });

  it('stays so when what is told is within what a fee makes, and when the gateway itself says more', () => {
    const [same] = uniteTransfers([known], [told('25.5')], { since: now, now });
    expect(same).toMatchObject({ vouched: true });
    const [asked] = uniteTransfers([known], [told('40')], { since: now, now, answered: true });
    expect(asked).toMatchObject({ sentAmount: '40', vouched: true });
  });
});
