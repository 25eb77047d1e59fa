import { randomBytes, randomUUID } from 'node:crypto';
import type { Situation } from '../../src/checkout/situation.js';
import { addMinutes, type Instant } from '../../src/kernel/clock.js';
import { statusScope } from '../../src/payments/create-invoice.handlers.js';
import { PaymentStreams } from '../../src/payments/payment-streams.pg.js';
import type { Invoice, PaymentEvent, PayTo, Terms } from '../../src/payments/payment.js';
import { defaultPolicy, type PolicyRules } from '../../src/payments/policy.js';
import type { RefundTarget } from '../../src/payments/refund.js';
import type { Transfer } from '../../src/payments/worth.js';
import { Applications } from '../../src/platform/http/applications.pg.js';
import { apiKey, type TestService } from '../support/service.js';

/*
 * A payment in every state that a payer can see, by the events that lead there: some of them take days, or a gateway that
 * contradicts itself.
 */

/** What a test says of a state: its events from the invoice on, and how it differs from a plain payment of 50 USD. */
export interface State {
  situation: Situation;
  events: (at: Instant) => PaymentEvent[];
  terms?: Partial<Terms>;
  rules?: Partial<PolicyRules>;
}

const tronHash = 'c1e2f0a4b6d8937f5a1c3e5d7b9f0a2c4e6d8b0f1a3c5e7d9b1f3a5c7e9d0b2f';
const address = 'TJYeasTPa6gpEEiNQDM6Yr3wVbYwYkVsn1';

const usdt: Transfer = {
  key: '1',
  txHash: tronHash,
  status: 'confirmed',
  currency: 'USDT',
  network: 'Tron Network',
  address,
  sentAmount: '50',
  receivedAmount: null,
  valueUsd: '50',
  confirmations: 24,
  firstSeenAt: '',
};

const opened = (at: Instant, changes: Partial<Invoice> = {}): PaymentEvent => ({
  type: 'InvoiceOpened',
  data: {
    trackId: '100000001',
    paymentUrl: 'https://pay.example/100000001',
    expiresAt: addMinutes(at, 60),
    adopted: false,
    at,
    ...changes,
  },
});
const over = (at: Instant): PaymentEvent => opened(at, { expiresAt: addMinutes(at, -5) });

const seen = (at: Instant, changes: Partial<Transfer> = {}): PaymentEvent => ({
  type: 'TransferDetected',
  data: { transfer: { ...usdt, firstSeenAt: addMinutes(at, -10), ...changes }, at },
});
const assessed = (at: Instant, received: string, delta: string, estimated = false): PaymentEvent => ({
  type: 'AmountAssessed',
  data: { received, delta, estimated, at },
});
const reported = (
  at: Instant,
  status: Extract<PaymentEvent, { type: 'GatewayReported' }>['data']['status'],
): PaymentEvent => ({ type: 'GatewayReported', data: { status, valueUsd: '50', witness: 'poll', at } });

const whole = (at: Instant): PaymentEvent[] => [opened(at), seen(at), assessed(at, '50', '0')];
const part = (at: Instant): PaymentEvent[] => [
  opened(at),
  seen(at, { sentAmount: '30', valueUsd: '30' }),
  assessed(at, '30', '-20'),
];
const paid = (at: Instant, late = false): PaymentEvent => ({
  type: 'PaymentPaid',
  data: { clause: late ? 'latePayment' : 'paidWhen', late, witness: 'poll', at },
});
const borneOut = (at: Instant, transfers = ['1']): PaymentEvent => ({
  type: 'PaymentCorroborated',
  data: { transfers, at },
});
const settled = (at: Instant): PaymentEvent[] => [...whole(at), reported(at, 'paid'), paid(at), borneOut(at)];
const expired = (at: Instant, clause = 'paidWhen'): PaymentEvent => ({
  type: 'PaymentExpired',
  data: { clause, at: addMinutes(at, -4) },
});
const credited = (at: Instant, amount: string, clause: string): PaymentEvent => ({
  type: 'CreditGranted',
  data: { number: 1, amount, currency: 'USD', customerId: 'customer', clause, at },
});
const refunded = (at: Instant, amount: string, isDone: boolean): PaymentEvent[] => [
  {
    type: 'RefundRequested',
    data: {
      number: 1,
      amount,
      payout: { amount, currency: 'USDT', network: 'TRON', address, memo: null },
      reason: 'wanted',
      clause: 'request',
      at,
    },
  },
  { type: 'RefundAttempted', data: { number: 1, attempt: 1, at } },
  { type: 'RefundSubmitted', data: { number: 1, trackId: '7', adopted: false, at } },
  ...(isDone ? [{ type: 'RefundConfirmed', data: { number: 1, txHash: null, at } } as const] : []),
];

const payTo: PayTo = { address, memo: null, network: 'Tron Network', currency: 'USDT', amount: '50.012345' };
const tonTo: PayTo = {
  address: 'UQBvW8Z5huBkMJYdnfAEM5JqTNkuWX3diqYENkWsIL0XggGG',
  memo: '4218806',
  network: 'Ton Network',
  currency: 'TON',
  amount: '15.625',
};
const customer = { customerId: 'customer' };
const refundTo: RefundTarget = { address, network: 'TRON', currency: null, memo: null };
const wanted = (count: number): Partial<PolicyRules> => ({ paidWhen: { rule: 'confirmations', count } });

/** Every progress, every situation within it, and every label. */
export const states = {
  opening: { situation: 'opening', events: () => [] },
  awaiting: { situation: 'awaiting', events: (at) => [opened(at)] },
  address: {
    situation: 'awaiting',
    events: (at) => [opened(at, { paymentUrl: null, payTo })],
    terms: { description: 'Two books and a lamp' },
    rules: {
      underpayment: { tolerancePercent: '1', then: 'reject' },
      latePayment: { window: 'PT72H', then: 'accept' },
    },
  },
  memo: {
    situation: 'awaiting',
    events: (at) => [opened(at, { paymentUrl: null, payTo: tonTo })],
    terms: { ...customer, refundTo },
    rules: {
      underpayment: { tolerancePercent: '0', then: 'partial_credit' },
      overpayment: { tolerancePercent: '2', then: 'refund' },
      latePayment: { window: 'PT6H', then: 'credit' },
    },
  },
  partial: { situation: 'partial', events: part },
  'partial-address': {
    situation: 'partial',
    events: (at) => [opened(at, { paymentUrl: null, payTo }), ...part(at).slice(1)],
  },
  elsewhere: {
    situation: 'elsewhere',
    events: (at) => [
      ...part(at),
      {
        type: 'RemainderRequested',
        data: { paymentId: randomUUID(), amount: '20', until: addMinutes(at, 60), at },
      },
    ],
  },
  overdue: { situation: 'overdue', events: (at) => [over(at)] },
  detected: {
    situation: 'detected',
    events: (at) => [opened(at), seen(at, { status: 'confirming', confirmations: 0 }), assessed(at, '50', '0')],
  },
  confirming: {
    situation: 'confirming',
    events: (at) => [opened(at), seen(at, { confirmations: 7 }), assessed(at, '50', '0')],
    rules: wanted(19),
  },
  'confirming-so-far': {
    situation: 'confirming',
    events: (at) => [opened(at), seen(at, { status: 'confirming', confirmations: 7 }), assessed(at, '50', '0', true)],
  },
  checking: { situation: 'checking', events: (at) => [...whole(at), paid(at)] },
  settled: { situation: 'settled', events: settled, terms: { returnUrl: 'https://shop.example/thanks' } },
  credit: {
    situation: 'settled',
    events: (at) => [{ type: 'CreditApplied', data: { amount: '50', at } }, paid(at)],
    terms: { ...customer, useCredit: true },
  },
  overpaid: {
    situation: 'settled',
    events: (at) => [
      opened(at),
      seen(at, { sentAmount: '55', valueUsd: '55' }),
      assessed(at, '55', '5'),
      reported(at, 'paid'),
      paid(at),
      borneOut(at),
      credited(at, '5', 'overpayment'),
    ],
    terms: customer,
  },
  late: {
    situation: 'settled',
    events: (at) => [
      over(at),
      seen(at, { firstSeenAt: addMinutes(at, -1) }),
      assessed(at, '50', '0'),
      paid(at, true),
      borneOut(at),
    ],
    rules: { latePayment: { window: 'P3D', then: 'accept' } },
  },
  'two-coins': {
    situation: 'settled',
    events: (at) => [
      opened(at),
      seen(at, { sentAmount: '24.8', valueUsd: '24.8' }),
      seen(at, {
        key: '2',
        txHash: `0x${'ab12cd34'.repeat(8)}`,
        currency: 'ETH',
        network: 'Ethereum Network',
        sentAmount: '0.00625',
        valueUsd: '25',
      }),
      assessed(at, '49.8', '-0.2'),
      reported(at, 'paid'),
      paid(at),
      borneOut(at, ['1', '2']),
    ],
    rules: { underpayment: { tolerancePercent: '1', then: 'reject' } },
  },
  'by-hand': {
    situation: 'settled',
    events: (at) => [...part(at), reported(at, 'manual_accept'), paid(at), borneOut(at)],
  },
  'partly-refunded': {
    situation: 'refunded',
    events: (at) => [...settled(at), ...refunded(at, '10', true)],
  },
  refunding: { situation: 'refunding', events: (at) => [...settled(at), ...refunded(at, '50', false)] },
  refunded: { situation: 'refunded', events: (at) => [...settled(at), ...refunded(at, '50', true)] },
  review: {
    situation: 'in_review',
    events: (at) => [
      over(at),
      seen(at, { firstSeenAt: addMinutes(at, -1) }),
      assessed(at, '50', '0'),
      expired(at),
      { type: 'ReviewOpened', data: { reasons: ['late_payment'], at } },
    ],
  },
  conflict: {
    situation: 'in_review',
    events: (at) => [
      ...whole(at),
      {
        type: 'ContradictionFound',
        data: { kind: 'amount', expected: '50', reported: '500', witness: 'callback', at },
      },
      { type: 'ReviewOpened', data: { reasons: ['amount_mismatch'], at } },
    ],
  },
  closed: { situation: 'closed', events: (at) => [over(at), expired(at)] },
  underpaid: {
    situation: 'closed',
    events: (at) => [over(at), ...part(at).slice(1), expired(at, 'underpayment')],
    terms: { returnUrl: 'https://shop.example/cart' },
  },
  cancelled: {
    situation: 'closed',
    events: (at) => [opened(at), { type: 'PaymentCancelled', data: { at } }],
  },
  rejected: {
    situation: 'rejected',
    events: (at) => [
      ...part(at),
      { type: 'ReviewOpened', data: { reasons: ['underpaid'], at } },
      {
        type: 'ReviewResolved',
        data: { reasons: ['underpaid'], decision: 'reject', actor: 'support@shop.example', note: 'too little', at },
      },
      { type: 'PaymentRejected', data: { at } },
    ],
  },
  sandbox: { situation: 'awaiting', events: (at) => [opened(at)], terms: { sandbox: true } },
} as const satisfies Record<string, State>;
export type StateName = keyof typeof states;

/** The terms of a payment of 50 USD. */
export const termsOf = (
  at: Instant,
  { terms = {}, rules = {} }: Pick<State, 'terms' | 'rules'>,
  applicationId: string,
): Terms => ({
  id: randomUUID(),
  applicationId,
  orderId: randomUUID(),
  amount: '50',
  currency: 'USD',
  customerId: null,
  description: null,
  email: null,
  returnUrl: null,
  lifetimeMinutes: 60,
  policy: { ...defaultPolicy, rules: { ...defaultPolicy.rules, ...rules } },
  metadata: {},
  statusToken: randomBytes(24).toString('base64url'),
  sandbox: false,
  requestedAt: at,
  ...terms,
});

/** Records a payment in a state, at the service's own store; returns the address of its page. */
export async function addState(shop: TestService, state: State): Promise<string> {
  const streams = shop.service.app.get(PaymentStreams);
  const applicationId = (await shop.service.app.get(Applications).byKey(apiKey))?.id ?? '';
  const at = shop.clock.now();
  const terms = termsOf(at, state, applicationId);
  const cause = { actor: 'test', correlationId: randomUUID(), causationId: randomUUID() };
  await streams.begin({ type: 'PaymentRequested', data: terms }, cause, [
    { scope: statusScope, key: terms.statusToken },
  ]);
  const events = state.events(at);
  if (events.length > 0) await streams.decide(terms.id, cause, () => events);
  return `${shop.url}/pay/${terms.statusToken}`;
}
