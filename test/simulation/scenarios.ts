import { defaultPolicy, type PinnedPolicy } from '../../src/payments/policy.js';
import { nothing, type Coin, type Invoice, type Plan, type Sent } from './gateway.js';
import type { Rng } from './rng.js';

const minute = 60_000;
const hour = 60 * minute;

/** What will become of one order. */
export const scenarios = [
  'full',
  'two_parts',
  'slow_network',
  'partial',
  'over',
  'never',
  'late',
  'refunded',
  'wrong_amount',
  'wrong_currency',
  'accepted_by_hand',
  'undone',
  'lying_callback',
  'contradicted',
] as const;
export type Scenario = (typeof scenarios)[number];

export interface Order {
  orderId: string;
  scenario: Scenario;
  cents: number;
  currency: string;
  coin: Coin;
  lifetimeMinutes: number;
  policy: PinnedPolicy;
  /** Virtual milliseconds. */
  at: number;
  /** Whether the shop asks twice at once, as a double click does. */
  twice: boolean;
  /** The payer knows the invoice before the shop does: by an e-mail of the gateway's. */
  eager: boolean;
}

const { rules } = defaultPolicy;
const policies: readonly PinnedPolicy[] = [
  defaultPolicy,
  defaultPolicy,
  { name: 'late', version: 1, rules: { ...rules, latePayment: { window: 'PT6H', then: 'accept' } } },
  { name: 'lenient', version: 1, rules: { ...rules, underpayment: { tolerancePercent: '10', then: 'review' } } },
  { name: 'brief', version: 3, rules: { ...rules, latePayment: { window: 'PT2H', then: 'review' } } },
  { name: 'deep', version: 1, rules: { ...rules, paidWhen: { rule: 'confirmations', count: 10 } } },
];

export function drawOrder(rng: Rng, n: number, span: number): Order {
  const weighted: readonly Scenario[] = [...scenarios, 'full', 'full', 'full', 'two_parts', 'late'];
  const currency = rng.pick(['USD', 'USDT']);
  return {
    orderId: `order-${String(n)}`,
    scenario: rng.pick(weighted),
    cents: rng.int(4, 200) * 100 + rng.pick([0, 0, 50, 99]),
    currency,
    coin: currency === 'USD' ? rng.pick(['USDT', 'TRX']) : 'USDT',
    lifetimeMinutes: rng.pick([15, 15, 30, 60]),
    policy: rng.pick(policies),
    at: rng.int(0, span),
    twice: rng.chance(0.15),
    eager: rng.chance(0.15),
  };
}

/** What the payer does once the invoice is known, and what people at the gateway do. */
export function planOf(rng: Rng, { scenario, cents, eager }: Order, invoice: Invoice, now: number): Plan {
  const idle: Plan = { ...nothing };
  const last = invoice.expiresAt - 2 * minute;
  // Opened so late that nobody can pay it in time any more.
  if (last < now + minute && scenario !== 'late') return idle;
  const send = (share: number, seenAt: number, settles = rng.int(20_000, 8 * minute), fails = false): Sent => {
    const hash = `${invoice.trackId}-${String(rng.u32())}`;
    return { hash, cents: Math.round((cents * share) / 100), seenAt, settledAt: seenAt + settles, fails };
  };
  const soon = (): number => (eager ? now + rng.int(10, 5000) : rng.int(now + 5000, Math.max(now + 6000, last)));
  switch (scenario) {
    case 'full':
    case 'wrong_currency':
      return { ...idle, sent: [send(100, soon())] };
    case 'wrong_amount':
      return { ...idle, sent: [send(11, soon())] };
    case 'slow_network':
      return { ...idle, sent: [send(100, soon(), rng.int(20 * minute, 5 * hour))] };
    case 'two_parts': {
      const first = send(40, soon());
      return { ...idle, sent: [first, { ...send(60, soon()), cents: cents - first.cents }] };
    }
    case 'partial':
      return { ...idle, sent: [send(rng.int(20, 80), soon())] };
    case 'over':
      return { ...idle, sent: [send(rng.int(105, 180), soon())] };
    case 'never':
      return idle;
    case 'late': {
      const seenAt = invoice.expiresAt + rng.logarithmic(2 * minute, 5 * hour);
      return { ...idle, sent: [send(100, seenAt)], countsLate: rng.chance(0.5) };
    }
    case 'refunded': {
      const sent = send(100, soon());
      const refundingAt = sent.settledAt + rng.logarithmic(minute, 6 * hour);
      return { ...idle, sent: [sent], refundingAt, refundedAt: refundingAt + rng.int(minute, hour) };
    }
    case 'accepted_by_hand': {
      const sent = send(rng.int(20, 80), soon());
      return { ...idle, sent: [sent], acceptedAt: sent.settledAt + rng.int(1000, 40 * minute) };
    }
    case 'undone':
      return { ...idle, sent: [send(100, soon(), rng.int(minute, 8 * minute), true)] };
    case 'contradicted': {
      const sent = send(100, soon());
      return { ...idle, sent: [sent], contradictedAt: sent.settledAt + rng.logarithmic(1000, 30 * minute) };
    }
    case 'lying_callback':
      return { ...idle, lies: [send(100, soon())] };
  }
}
