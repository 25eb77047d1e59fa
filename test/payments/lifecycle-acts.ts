import fc from 'fast-check';
import {
  arrivalsOfAnyKind,
  endMinute,
  settings,
  worlds,
  type Arrivals,
  type Setting,
  type World,
} from './gateway-model.js';

/* What may happen to one payment, and when: histories that shrink. */

const steps = [
  'attempt',
  'submitted',
  'confirmed by answer',
  'failed by answer',
  'confirmed by callback',
  'failed by callback',
  'unavailable',
  'unknown',
  'lost',
  'refused',
  'unended',
] as const;

export type PayoutStep = (typeof steps)[number];

const sent = ['attempt', 'submitted'] as const;
const usual: PayoutStep[][] = [
  [...sent, 'confirmed by answer'],
  [...sent, 'failed by answer'],
  [...sent, 'failed by answer', 'confirmed by callback'],
  [...sent, 'failed by callback'],
  [...sent, 'unended'],
  [...sent],
  ['attempt', 'refused'],
  ['attempt', 'unavailable', 'attempt', 'unknown', 'lost'],
  ['attempt', 'lost'],
];

/** What somebody does to the payment. */
export type Act =
  | { kind: 'decide'; decision: 'accept' | 'reject' | 'credit' | 'refund'; toAddress: boolean }
  /** Null cents stand for all that is left; a coin for units of it, worth so much. */
  | { kind: 'refund'; cents: number | null; currency: string | null }
  /** What becomes of the refund that is `which` of those there are. */
  | { kind: 'payout'; steps: PayoutStep[]; which: number }
  | { kind: 'remainder'; step: 'open' | 'note' | 'paid' | 'ended'; which: number }
  /** The gateway is asked, once more. */
  | { kind: 'ask' }
  | { kind: 'cancel' | 'give up' | 'doubt' | 'refuse' }
  | { kind: 'credit'; cents: number };

type Timed = Act & { minute: number; twice: boolean };

export interface Life {
  setting: Setting;
  /** What the customer's credit pays, in cents; null where it is not to. */
  credit: number | null;
  /** What happens before the invoice is there. */
  early: Act[];
  acts: Timed[];
  world: World;
  arrivals: Arrivals;
  /** Bit i: the gateway does not say when transfer i was seen. */
  undated: number;
  /** When the gateway itself sends back what it has. */
  refundedAt: number | null;
  /** Whether the gateway tells what coins are worth, callbacks alone do, or nobody does and prices are looked up. */
  worth: 'told' | 'called' | 'priced';
  /** From when on another payment of the order stands for it, once this one is closed. */
  takenFrom: number | null;
}

const acts: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('decide' as const),
      decision: fc.constantFrom('accept', 'reject', 'credit', 'refund'),
      toAddress: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('refund' as const),
      cents: fc.option(fc.constantFrom(1000, 2500, 5000, 100, 333)),
      currency: fc.constantFrom(null, 'USD', 'USDT', 'TRX'),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('payout' as const),
      steps: fc.oneof(fc.constantFrom(...usual), fc.array(fc.constantFrom(...steps), { minLength: 1, maxLength: 3 })),
      which: fc.nat(2),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('remainder' as const),
      step: fc.constantFrom('open', 'open', 'note', 'paid', 'ended'),
      which: fc.nat(1),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ask' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('cancel', 'give up', 'doubt') }) },
);

const early: fc.Arbitrary<Act> = fc.oneof(
  fc.record({ kind: fc.constant('credit' as const), cents: fc.constantFrom(2000, 5000, 0) }),
  fc.record({ kind: fc.constantFrom('cancel', 'refuse') }),
  fc.record({
    kind: fc.constant('refund' as const),
    cents: fc.option(fc.constant(1000)),
    currency: fc.constant(null),
  }),
);

const minutes = fc.oneof(
  { weight: 3, arbitrary: fc.nat(200) },
  { weight: 2, arbitrary: fc.nat(6000) },
  { weight: 2, arbitrary: fc.integer({ min: endMinute, max: 60_000 }) },
);

const timed: fc.Arbitrary<Timed> = fc
  .tuple(acts, minutes, fc.constantFrom(false, false, true))
  .map(([act, minute, twice]) => ({ ...act, minute, twice }));

const seldom = <T>(arbitrary: fc.Arbitrary<T>, of = 8): fc.Arbitrary<T | null> =>
  fc.oneof({ weight: of - 1, arbitrary: fc.constant(null) }, { weight: 1, arbitrary });

export const lives: fc.Arbitrary<Life> = fc.record({
  setting: settings,
  credit: seldom(fc.constantFrom(2000, 2000, 1000, 4999, 1, 0, 5000), 4),
  early: fc.oneof(
    { weight: 6, arbitrary: fc.constant<Act[]>([]) },
    { weight: 1, arbitrary: fc.array(early, { maxLength: 2 }) },
  ),
  acts: fc.array(timed, { maxLength: 14, size: 'max' }),
  // A person at the gateway accepts what there is, and that hides the rest: seldom.
  world: fc
    .tuple(worlds, seldom(fc.constant(true)))
    .map(([world, accepted]) => (accepted ? world : { ...world, acceptedAt: null })),
  arrivals: arrivalsOfAnyKind,
  undated: fc.oneof(fc.constant(0), fc.nat(31)),
  refundedAt: seldom(fc.nat(9000)),
  worth: fc.constantFrom('told', 'called', 'priced'),
  takenFrom: seldom(fc.nat(9000), 5),
});
