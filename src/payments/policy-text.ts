import { Refusal, type FieldError } from '../kernel/refusal.js';
import { isConfirmationCount, isLateWindow, isTolerance } from './policies.js';
import type { PolicyRules } from './policy.js';

type Members = Readonly<Record<string, unknown>>;

/** Reads one clause: its value, or null where the fields at fault have been noted. */
class Reading {
  readonly errors: FieldError[] = [];

  /** The clause as an object with no other members than these; null where it is not there, or not that. */
  clause(rules: Members, name: string, members: readonly string[]): Members | null {
    const value = rules[name];
    if (value === undefined) return null;
    if (!isObject(value)) {
      this.fault(`/${name}`, 'must be an object');
      return null;
    }
    for (const member of Object.keys(value))
      if (!members.includes(member)) this.fault(`/${name}/${member}`, 'is not known');
    return value;
  }

  one<const T extends string>(clause: Members, path: string, allowed: readonly T[]): T | null {
    const value = clause[path.split('/').at(-1) ?? ''];
    const found = allowed.find((each) => each === value) ?? null;
    if (found === null) this.fault(path, `must be one of ${allowed.join(', ')}`);
    return found;
  }

  value<T>(value: unknown, path: string, fits: (value: unknown) => value is T, rule: string): T | null {
    if (fits(value)) return value;
    this.fault(path, rule);
    return null;
  }

  fault(pointer: string, detail: string): void {
    this.errors.push({ pointer, detail });
  }
}

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const tolerance = 'must be a percentage as a string, from "0" to "60", with two decimals at most';

/**
 * The rules that a policy's JSON spells; clauses that are left out are those of `otherwise`. Throws
 * `Refusal('invalid_request')` that names every field at fault: the same are refused as by `PUT /v1/policies/{name}`.
 */
export function readPolicyRules(value: unknown, otherwise: PolicyRules): PolicyRules {
  const reading = new Reading();
  const rules = isObject(value) ? value : {};
  if (!isObject(value)) reading.fault('', 'must be an object with the clauses of a policy');
  for (const name of Object.keys(rules)) if (!Object.hasOwn(otherwise, name)) reading.fault(`/${name}`, 'is not known');
  const read = {
    paidWhen: paidWhenIn(reading, rules) ?? otherwise.paidWhen,
    underpayment:
      shareIn(reading, rules, 'underpayment', ['reject', 'partial_credit', 'review']) ?? otherwise.underpayment,
    overpayment:
      shareIn(reading, rules, 'overpayment', ['credit', 'refund', 'review', 'keep']) ?? otherwise.overpayment,
    latePayment: lateIn(reading, rules) ?? otherwise.latePayment,
  };
  if (reading.errors.length === 0) return read;
  const told = reading.errors.map(({ pointer, detail }) => `${pointer === '' ? 'the policy' : pointer} ${detail}`);
  throw new Refusal('invalid_request', `The policy is not acceptable: ${told.join('; ')}.`, reading.errors);
}

function paidWhenIn(reading: Reading, rules: Members): PolicyRules['paidWhen'] | null {
  const clause = reading.clause(rules, 'paidWhen', ['rule', 'count']);
  const rule = clause && reading.one(clause, '/paidWhen/rule', ['detected', 'confirmations', 'settled']);
  if (!clause || !rule) return null;
  if (rule !== 'confirmations') {
    if (clause['count'] !== undefined) reading.fault('/paidWhen/count', 'goes with the rule "confirmations" only');
    return { rule };
  }
  const count = reading.value(
    clause['count'],
    '/paidWhen/count',
    isConfirmationCount,
    'must be a whole number from 1 to 1000: the confirmations that every transfer needs',
  );
  return count === null ? null : { rule, count };
}

function shareIn<const T extends string>(
  reading: Reading,
  rules: Members,
  name: string,
  then: readonly T[],
): { tolerancePercent: string; then: T } | null {
  const clause = reading.clause(rules, name, ['tolerancePercent', 'then']);
  if (!clause) return null;
  const percent = reading.value(clause['tolerancePercent'], `/${name}/tolerancePercent`, isTolerance, tolerance);
  const what = reading.one(clause, `/${name}/then`, then);
  return percent === null || what === null ? null : { tolerancePercent: percent, then: what };
}

function lateIn(reading: Reading, rules: Members): PolicyRules['latePayment'] | null {
  const clause = reading.clause(rules, 'latePayment', ['window', 'then']);
  if (!clause) return null;
  const window = reading.value(
    clause['window'],
    '/latePayment/window',
    isLateWindow,
    'must be an ISO 8601 duration of whole days, hours and minutes, such as "PT72H", of 30 days at most',
  );
  const then = reading.one(clause, '/latePayment/then', ['accept', 'credit', 'refund', 'review']);
  return window === null || then === null ? null : { window, then };
}
