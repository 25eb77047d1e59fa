import { expect } from '@jest/globals';
import { applyReport, type Claim } from '../../src/payments/decisions.js';
import type { GatewayReport, GatewayStatus, ReportedTransfer } from '../../src/payments/payment-gateway.js';
import {
  evolve,
  isReportable,
  type Payment,
  type PaymentEvent,
  type Terms,
  type Witness,
} from '../../src/payments/payment.js';
import { defaultPolicy, type PolicyRules } from '../../src/payments/policy.js';

export const opened = '2026-01-01T12:00:00.000Z';
export const deadline = '2026-01-01T13:00:00.000Z';
export const inTime = '2026-01-01T12:10:00.000Z';
export const tooLate = '2026-01-01T14:00:00.000Z';
export const muchTooLate = '2026-02-01T14:00:00.000Z';
const trackId = '100000001';

export const terms = (rules: Partial<PolicyRules> = {}, changes: Partial<Terms> = {}): Terms => ({
  id: '01890000-0000-7000-8000-000000000001',
  applicationId: '01890000-0000-7000-8000-00000000000a',
  orderId: 'order-1',
  amount: '50',
  currency: 'USD',
  customerId: null,
  description: null,
  email: null,
  returnUrl: null,
  lifetimeMinutes: 60,
  policy: { ...defaultPolicy, rules: { ...defaultPolicy.rules, ...rules } },
  metadata: {},
  statusToken: 'token',
  sandbox: false,
  requestedAt: opened,
  ...changes,
});

/** A payment whose invoice is open. */
export const open = (rules: Partial<PolicyRules> = {}, changes: Partial<Terms> = {}): PaymentEvent[] => [
  { type: 'PaymentRequested', data: terms(rules, changes) },
  {
    type: 'InvoiceOpened',
    data: { trackId, paymentUrl: 'https://pay.example/1', expiresAt: deadline, adopted: false, at: opened },
  },
];

export const transfer = (worth: string, changes: Partial<ReportedTransfer> = {}): ReportedTransfer => ({
  txHash: `hash-of-transfer-${worth}`,
  status: 'confirming',
  currency: 'USDT',
  network: 'Tron Network',
  address: 'TAddress',
  senderAddress: null,
  sentAmount: worth,
  receivedAmount: null,
  valueUsd: worth,
  confirmations: 0,
  seenAt: inTime,
  ...changes,
});

export const report = (
  status: GatewayStatus,
  transfers: ReportedTransfer[] = [],
  changes: Partial<GatewayReport> = {},
): GatewayReport => ({
  trackId,
  orderId: '01890000-0000-7000-8000-000000000001',
  type: 'invoice',
  status,
  amount: '50',
  currency: 'USD',
  valueUsd: '50',
  transfers,
  createdAt: opened,
  expiresAt: null,
  terms: null,
  ...changes,
});

export const foldAll = (events: readonly PaymentEvent[]): Payment => {
  const payment = events.reduce<Payment | null>(evolve, null);
  if (!payment) throw new Error('the history does not begin with PaymentRequested');
  return payment;
};

/** Histories read as: given these events, when this is reported, then these events follow. */
export const given = (...history: PaymentEvent[]) => {
  let past = [...history];
  let last: PaymentEvent[] = [];
  const chain = {
    when(said: GatewayReport, witness: Witness = 'callback', now = inTime, found: Pick<Claim, 'prices'> = {}) {
      const payment = foldAll(past);
      if (!isReportable(payment)) throw new Error('nothing can be reported about this payment');
      last = applyReport(payment, said, { witness, now, ...found });
      past = [...past, ...last];
      return chain;
    },
    then(...types: (PaymentEvent['type'] | Partial<PaymentEvent>)[]) {
      expect(last.map((event) => event.type)).toEqual(
        types.map((type) => (typeof type === 'string' ? type : type.type)),
      );
      types.forEach((type, index) => {
        if (typeof type !== 'string') expect(last[index]).toMatchObject(type);
      });
      return chain;
    },
    nothing() {
      expect(last).toEqual([]);
      return chain;
    },
    payment: () => foldAll(past),
    events: () => past,
  };
  return chain;
};
