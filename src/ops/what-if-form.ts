import { isUuid } from '../kernel/ids.js';
import { addSeconds, type Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { readPolicyRules } from '../payments/policy-text.js';
import type { PolicyRules } from '../payments/policy.js';

/*
 * The form of a simulation: what it shows, and what its address asks for. All of it stands in the address, so that a simulation can
 * be sent to somebody else.
 */

const ruleFields = [
  'paidWhen',
  'count',
  'shortTolerance',
  'shortThen',
  'overTolerance',
  'overThen',
  'lateWindow',
  'lateThen',
] as const;

/** `of`: for a policy that is not there yet, the one whose past it is tried on. */
export const fields = [...ruleFields, 'of', 'from', 'to', 'after'] as const;

export type Field = (typeof fields)[number];

/** What stands in each field. */
export type Typed = Readonly<Record<Field, string>>;

/** The rules alone, as they were typed: what is saved, and what a what-if was looked at for. */
export const typedRules = (typed: Typed): [Field, string][] => ruleFields.map((field) => [field, typed[field]]);

/** What is asked: payments created from `from` on and before `to`, with ids after `after`. */
export interface Asked {
  rules: PolicyRules;
  from?: Instant;
  to?: Instant;
  after?: string;
}

export interface WhatIfForm {
  typed: Typed;
  /** What is wrong, by field. */
  faults: ReadonlyMap<Field, string>;
  /** Null where nothing was asked yet, or something is wrong. */
  asked: Asked | null;
}

/** Reads the query of an address. What it leaves out is as the policy has it now; with nothing in it, nothing is asked. */
export function readWhatIf(query: unknown, now: PolicyRules): WhatIfForm {
  const given = new Map(Object.entries(typeof query === 'object' && query !== null ? query : {}));
  const faults = new Map<Field, string>();
  const shown = typedOf(now);
  const read = (field: Field): string => {
    const value: unknown = given.get(field);
    if (Array.isArray(value)) faults.set(field, 'is given more than once');
    return typeof value === 'string' ? value.trim().slice(0, 100) : shown[field];
  };
  const typed = Object.fromEntries(fields.map((field) => [field, read(field)])) as Record<Field, string>;
  if (!fields.some((field) => field !== 'of' && given.has(field))) return { typed, faults, asked: null };
  const rules = rulesIn(typed, now, faults);
  const span = spanIn(typed, faults);
  return { typed, faults, asked: rules === null || faults.size > 0 ? null : { rules, ...span } };
}

/** The address of a simulation, behind the `?`. Fields without a value are left out, but for those that would be filled in. */
export const queryOf = (typed: Typed): string => {
  const shown = fields.filter((field) => typed[field] !== '' || field === 'count');
  return new URLSearchParams(Object.fromEntries(shown.map((field) => [field, typed[field]]))).toString();
};

const typedOf = ({ paidWhen, underpayment, overpayment, latePayment }: PolicyRules): Typed => ({
  paidWhen: paidWhen.rule,
  count: paidWhen.rule === 'confirmations' ? String(paidWhen.count) : '',
  shortTolerance: underpayment.tolerancePercent,
  shortThen: underpayment.then,
  overTolerance: overpayment.tolerancePercent,
  overThen: overpayment.then,
  lateWindow: latePayment.window,
  lateThen: latePayment.then,
  of: '',
  from: '',
  to: '',
  after: '',
});

const fieldOf: Readonly<Record<string, Field>> = {
  '/paidWhen/rule': 'paidWhen',
  '/paidWhen/count': 'count',
  '/underpayment/tolerancePercent': 'shortTolerance',
  '/underpayment/then': 'shortThen',
  '/overpayment/tolerancePercent': 'overTolerance',
  '/overpayment/then': 'overThen',
  '/latePayment/window': 'lateWindow',
  '/latePayment/then': 'lateThen',
};

/** In a form everything is text; the API has to say more. */
const tolerance = 'must be a percentage from 0 to 60, with two decimals at most';

function rulesIn(typed: Typed, now: PolicyRules, faults: Map<Field, string>): PolicyRules | null {
  const count = /^\d{1,9}$/.test(typed.count) ? parseInt(typed.count, 10) : typed.count;
  const asked = {
    paidWhen: { rule: typed.paidWhen, ...(count === '' ? {} : { count }) },
    underpayment: { tolerancePercent: typed.shortTolerance, then: typed.shortThen },
    overpayment: { tolerancePercent: typed.overTolerance, then: typed.overThen },
    latePayment: { window: typed.lateWindow, then: typed.lateThen },
  };
  try {
    return readPolicyRules(asked, now);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    for (const { pointer, detail } of error.errors) {
      const field = fieldOf[pointer];
      if (field === undefined) throw error;
      faults.set(field, field.endsWith('Tolerance') ? tolerance : detail);
    }
    return null;
  }
}

const daySeconds = 24 * 3600;

function spanIn(typed: Typed, faults: Map<Field, string>): Omit<Asked, 'rules'> {
  const [from, to] = [dayIn(typed, 'from', faults), dayIn(typed, 'to', faults)];
  if (from !== null && to !== null && from > to) faults.set('to', 'must not be before the first day');
  if (typed.after !== '' && !isUuid(typed.after)) faults.set('after', 'must be the id of a payment');
  return {
    ...(from === null ? {} : { from }),
    ...(to === null ? {} : { to: addSeconds(to, daySeconds) }),
    ...(typed.after === '' ? {} : { after: typed.after }),
  };
}

/** The beginning of a day, UTC; null where none is given. */
function dayIn(typed: Typed, field: 'from' | 'to', faults: Map<Field, string>): Instant | null {
  const text = typed[field];
  if (text === '') return null;
  const start = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00.000Z` : NaN);
  if (!Number.isNaN(start.getTime()) && start.toISOString().startsWith(text)) return start.toISOString();
  faults.set(field, 'must be a day such as 2026-01-31');
  return null;
}
