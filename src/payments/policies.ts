import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { Refusal } from '../kernel/refusal.js';
import { Decimal, plain } from './decimal.js';
import { defaultPolicy, durationSeconds, type PinnedPolicy, type PolicyRules } from './policy.js';

/** One version of an application's policy. Versions are never changed, only followed by others. */
export interface DefinedPolicy extends PinnedPolicy {
  /** Null for the built-in `default`, which nobody defined. */
  definedAt: Instant | null;
}

/** The one fact of a policy's stream: each is a further version of it. */
export interface PolicyDefined {
  type: 'PolicyDefined';
  data: PinnedPolicy & { at: Instant };
}

/** What a payment calls the policy that came with it; no policy can be defined under it. */
export const inlinePolicy = 'inline';

/** How many versions one policy may have: a payment reads all of them to find the newest. */
const maxVersions = 500;

const namePattern = /^[a-z][a-z0-9_-]{0,63}$/;

/** Whether a policy may have this name. */
export const isPolicyName = (name: string): boolean => namePattern.test(name) && name !== inlinePolicy;

export const policyNameRule = `1 to 64 lower-case letters, digits, hyphens and underscores, beginning with a letter, and not "${inlinePolicy}"`;

const percent = /^(?:0|[1-9]\d?)(?:\.\d{1,2})?$/;
const longestWindowSeconds = 30 * 24 * 3600;

/** A tolerance: a percentage from 0 to 60, which is the most that the gateway takes for a shortage. */
export const isTolerance = (value: unknown): value is string =>
  typeof value === 'string' && percent.test(value) && new Decimal(value).lte('60');

/** For how long late money is still judged: there has to be an end to it. */
export function isLateWindow(value: unknown): value is string {
  const seconds = typeof value === 'string' ? durationSeconds(value) : null;
  return seconds !== null && seconds <= longestWindowSeconds;
}

/** How many confirmations a policy may ask for: with none, money that may still vanish would count. */
export const isConfirmationCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 1000;

/** The scope of the keys by which an application's policy is found by its name. */
export const policyScope = (applicationId: string): string => `policy:${applicationId}`;

/** The schema version that this code writes; a later one refuses the stream rather than guess at it. */
export const policySchemaVersion = 1;

/** Reads a recorded event as ours. Throws where its type or schema version is newer than this code. */
function readPolicyEvent(event: RecordedEvent): PolicyDefined {
  if (event.type !== ('PolicyDefined' satisfies PolicyDefined['type']) || event.schemaVersion > policySchemaVersion) {
    throw new Error(
      `event ${event.type} v${String(event.schemaVersion)} in stream ${event.streamId} is not known to this version of Finality`,
    );
  }
  return { type: event.type, data: event.data } as unknown as PolicyDefined;
}

/**
 * All versions that a policy has had, oldest first; empty where it was never defined. `default` begins with the
 * built-in one, so that an application's first own version of it is 2.
 */
export function versionsOf(name: string, events: readonly RecordedEvent[]): DefinedPolicy[] {
  const builtIn = name === defaultPolicy.name ? [{ ...defaultPolicy, definedAt: null }] : [];
  return [...builtIn, ...events.map((event) => definedBy(readPolicyEvent(event)))];
}

/** The version that an event tells of. */
export const definedBy = ({ data: { at, ...policy } }: PolicyDefined): DefinedPolicy => ({ ...policy, definedAt: at });

/** Defines the next version of a policy. The rules of its newest version again: nothing. Throws `Refusal`. */
export function definePolicy(
  name: string,
  versions: readonly DefinedPolicy[],
  rules: PolicyRules,
  now: Instant,
): PolicyDefined[] {
  if (!isPolicyName(name)) throw new Refusal('invalid_request', `The name of a policy is ${policyNameRule}.`);
  const newest = versions.at(-1);
  if (newest && sameRules(newest.rules, rules)) return [];
  if (versions.length >= maxVersions)
    throw new Refusal('conflict', `A policy has at most ${String(maxVersions)} versions; define one of another name.`);
  return [{ type: 'PolicyDefined', data: { name, version: (newest?.version ?? 0) + 1, rules, at: now } }];
}

/** Whether two sets of rules mean the same, however their percentages and durations are spelled. */
export const sameRules = (a: PolicyRules, b: PolicyRules): boolean => meaningOf(a) === meaningOf(b);

function meaningOf({ paidWhen, underpayment, overpayment, latePayment }: PolicyRules): string {
  const percent = (text: string): string => plain(new Decimal(text));
  return JSON.stringify([
    paidWhen.rule,
    paidWhen.rule === 'confirmations' ? paidWhen.count : null,
    percent(underpayment.tolerancePercent),
    underpayment.then,
    percent(overpayment.tolerancePercent),
    overpayment.then,
    durationSeconds(latePayment.window),
    latePayment.then,
  ]);
}
