import type { Rng } from './rng.js';

const minute = 60_000;
const hour = 60 * minute;

/** Faults that strike one call or message, each with the range of its rate where a seed has it at all. */
const rates = {
  /** The statement never arrives. */
  'store.unreachable': [0.002, 0.1],
  /** Committed, and the answer is lost. */
  'store.answer_lost': [0.002, 0.1],
  /** The caller has given up when the statement commits. */
  'store.late_commit': [0.001, 0.05],
  /** Rolled back by the server: its positions stay gaps. */
  'store.aborted': [0.001, 0.05],
  /** An open transaction holds its positions for seconds. */
  'store.slow_commit': [0.005, 0.3],
  'store.read_failed': [0.001, 0.05],
  'looks.failed': [0.001, 0.05],
  'outbox.failed': [0.001, 0.05],
  'outbox.answer_lost': [0.001, 0.05],
  'follower.rolled_back': [0.005, 0.2],
  'follower.answer_lost': [0.005, 0.2],
  'callback.dropped': [0.05, 0.95],
  'callback.duplicated': [0.05, 0.9],
  'callback.delayed': [0.05, 0.9],
  'callback.answer_lost': [0.05, 0.9],
  'callback.garbled': [0.02, 0.3],
  'api.timeout_before': [0.01, 0.3],
  'api.timeout_after': [0.01, 0.3],
  'api.error_500': [0.01, 0.3],
  'api.html': [0.01, 0.2],
  'api.busy': [0.01, 0.3],
  'api.stale': [0.01, 0.4],
  'api.unknown_404': [0.005, 0.1],
  'api.shifted_page': [0.01, 0.3],
  'merchant.error': [0.05, 0.8],
  'merchant.timeout': [0.05, 0.6],
  'merchant.answer_lost': [0.05, 0.8],
  'merchant.busy': [0.05, 0.5],
  'merchant.later': [0.05, 0.7],
  /** It promises a report and never makes it. */
  'merchant.forgets': [0.1, 0.9],
  'merchant.rejects': [0.02, 0.3],
  'client.gives_up_waiting': [0.01, 0.3],
  /** The process stands still (a swap storm, SIGSTOP, a moved machine) and goes on later. */
  'replica.paused': [0.0005, 0.02],
} as const satisfies Record<string, readonly [number, number]>;

/** Faults that last, with their shortest and longest time. */
const spells = {
  'store.down': [5_000, 10 * minute],
  'gateway.down': [minute, 150 * minute],
  'callbacks.black_out': [10 * minute, 8 * hour],
  'merchant.dead': [10 * minute, 8 * hour],
} as const satisfies Record<string, readonly [number, number]>;

export type FaultKind = keyof typeof rates;
export type SpellKind = keyof typeof spells;

const faultKinds = Object.keys(rates) as FaultKind[];
const spellKinds = Object.keys(spells) as SpellKind[];

/** Every kind of fault by name, crashes and skewed clocks apart. */
export const allFaults: readonly string[] = [...faultKinds, ...spellKinds, 'replica.skewed_clock'];

/** Where a `kill -9` strikes: before or after an effect outside the process, or between an effect and its record. */
export const crashPoints = [
  'store.read.before',
  'store.read.after',
  'store.append.before',
  'store.append.after',
  'store.message.before',
  'store.message.after',
  'store.inbox.before',
  'store.matched.before',
  'store.matched.after',
  'store.key.before',
  'looks.claim.before',
  'looks.claim.after',
  'looks.done.before',
  'looks.done.after',
  'looks.extend.before',
  'looks.seen.before',
  'looks.now.before',
  'looks.now.after',
  'log.sighting',
  'log.page',
  'follower.claimed',
  'follower.looks.commit',
  'follower.looks.committed',
  'follower.fulfillment.commit',
  'follower.fulfillment.committed',
  'follower.outcome.commit',
  'follower.outcome.committed',
  'follower.webhooks.commit',
  'follower.webhooks.committed',
  'follower.orders.commit',
  'follower.orders.committed',
  'gateway.create.before',
  'gateway.create.effect',
  'gateway.create.after',
  'gateway.ask.before',
  'gateway.ask.after',
  'gateway.list.before',
  'gateway.list.after',
  'gateway.prices.before',
  'callback.received',
  'callback.answer',
  'create.answer',
  'outbox.claim.before',
  'outbox.claim.after',
  'outbox.finish.before',
  'outbox.finish.after',
  'merchant.send.before',
  'merchant.send.after',
  'report.received',
] as const;
export type CrashPoint = (typeof crashPoints)[number];

/** Points that a history seldom comes by: seeds favour them more, so that no run misses one. */
const seldom: readonly CrashPoint[] = [
  'store.message.before',
  'store.message.after',
  'store.matched.before',
  'store.matched.after',
  'looks.extend.before',
  'looks.seen.before',
  'looks.now.before',
  'looks.now.after',
  'gateway.prices.before',
];

/** What has to happen somewhere in a run, so that it says anything about it. */
export const sights = [
  'created > pending',
  'created > failed',
  'pending > paid',
  'pending > expired',
  'pending > failed',
  'expired > paid',
  'InvoiceDelayed',
  'InvoiceRetried',
  'an adopted invoice',
  'a page of the history',
  'a callback before its invoice',
  'ContradictionFound',
  'PaymentCorroborated',
  'CorroborationDelayed',
  'CorroborationWaived',
  'ReviewOpened',
  'ReviewWithdrawn',
  'ReviewResolved',
  'FulfillmentAccepted',
  'FulfillmentReported',
  'FulfillmentStopped',
  'FulfillmentResumed',
  'FulfillmentUnanswered',
] as const;

/** What one seed does to its world: some faults at rates of its own, many not at all. */
export interface Profile {
  rates: ReadonlyMap<FaultKind, number>;
  spells: readonly { kind: SpellKind; from: number; to: number }[];
  /** A crash at any point, and at the few that this seed favours. */
  crash: number;
  favoured: ReadonlyMap<CrashPoint, number>;
  /** Milliseconds that replicas' clocks go wrong at most. */
  skew: number;
  faultsFor: number;
}

/** Draws a profile. `faultsFor` is how long faults last, in virtual milliseconds. */
export function drawProfile(rng: Rng): Profile {
  const long = rng.chance(0.006);
  const faultsFor = long ? 26 * hour : rng.int(70 * minute, 4 * hour);
  const calm = rng.chance(0.03);
  const drawn = new Map<FaultKind, number>();
  for (const kind of faultKinds) {
    const on = rng.chance(0.35);
    const [lowest, highest] = rates[kind];
    const rate = rng.logarithmic(lowest, highest);
    if (on && !calm) drawn.set(kind, rate);
  }
  const lasting = spellKinds.flatMap((kind) => {
    const on = rng.chance(long ? 0.5 : 0.25) && !calm;
    const [shortest, longest] = spells[kind];
    const length = long && kind !== 'store.down' ? 24 * hour : rng.logarithmic(shortest, longest);
    const from = rng.int(0, Math.floor(faultsFor * 0.7));
    return on ? [{ kind, from, to: Math.min(from + length, faultsFor) }] : [];
  });
  const crashes = !calm && rng.chance(0.7);
  const favoured = new Map<CrashPoint, number>();
  for (let n = 0; n < 3; n++) {
    const point = rng.pick([...crashPoints, ...seldom, ...seldom]);
    const rate = seldom.includes(point) ? rng.logarithmic(0.2, 0.9) : rng.logarithmic(0.01, 0.4);
    if (crashes) favoured.set(point, rate);
  }
  return {
    rates: drawn,
    spells: lasting,
    crash: crashes ? rng.logarithmic(0.0001, 0.004) : 0,
    favoured,
    skew: calm || rng.chance(0.7) ? 0 : rng.int(200, 5000),
    faultsFor,
  };
}
