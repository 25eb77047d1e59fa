import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import { decimalsOf } from '../kernel/money.js';
import { Decimal, least, plain } from '../payments/decimal.js';

/** Whose account, and in what: a customer of an application has one per currency. */
export interface AccountKey {
  applicationId: string;
  customerId: string;
  currency: string;
}

/** Said by every event of an account, so that each can be read alone. */
interface About {
  customerId: string;
  currency: string;
  paymentId: string;
  at: Instant;
}

/** `amount` is positive, in the account's currency. */
interface Movement extends About {
  amount: string;
}

/** What changes the balance. `source` is the id of the payment's event that caused it, once. */
export type MovementEvent =
  /** A payment left money that belongs to the customer; `reason` is the clause of the policy that says so. */
  | { type: 'CreditAdded'; data: Movement & { source: string; reason: string } }
  /** A part of the customer's credit pays for a payment. */
  | { type: 'CreditSpent'; data: Movement }
  /** The payment came to nothing, so what it had taken is the customer's again. */
  | { type: 'CreditReturned'; data: Movement & { source: string } };

/** The facts of one account. */
export type CreditEvent =
  | MovementEvent
  /** There was nothing to take for this payment. Recorded, so that it is told the same when it asks again. */
  | { type: 'CreditDeclined'; data: About };

interface Spend {
  amount: string;
  returned: string;
}

/** What a customer has in one currency; null stands for an account that nothing has happened to yet. */
export interface CreditAccount {
  customerId: string;
  currency: string;
  /** A plain decimal, never below zero. */
  balance: string;
  sources: ReadonlySet<string>;
  /** By the ids of the payments that asked for some of it; `"0"` where there was none. */
  spends: ReadonlyMap<string, Spend>;
}

interface Draft extends CreditAccount {
  sources: Set<string>;
  spends: Map<string, Spend>;
}

/** Applies one event. Total: an event that does not fit the state leaves it as it is. */
export function evolveCredit(account: CreditAccount | null, event: CreditEvent): CreditAccount | null {
  const draft = account && { ...account, sources: new Set(account.sources), spends: new Map(account.spends) };
  return apply(draft, event);
}

function apply(draft: Draft | null, event: CreditEvent): Draft | null {
  if (event.type === 'CreditAdded') return applyAdded(draft ?? opened(event.data), event.data);
  if (event.type === 'CreditDeclined') return applyAnswer(draft ?? opened(event.data), event.data.paymentId, '0');
  if (draft === null) return null;
  return event.type === 'CreditSpent'
    ? applyAnswer(draft, event.data.paymentId, event.data.amount)
    : applyReturned(draft, event.data);
}

function applyAnswer(draft: Draft, paymentId: string, amount: string): Draft {
  if (draft.spends.has(paymentId)) return draft;
  draft.spends.set(paymentId, { amount, returned: '0' });
  draft.balance = plain(new Decimal(draft.balance).minus(amount));
  return draft;
}

function applyReturned(draft: Draft, { source, paymentId, amount }: Movement & { source: string }): Draft {
  const spend = draft.spends.get(paymentId);
  if (!spend || draft.sources.has(source)) return draft;
  draft.sources.add(source);
  draft.spends.set(paymentId, { ...spend, returned: plain(new Decimal(spend.returned).plus(amount)) });
  draft.balance = plain(new Decimal(draft.balance).plus(amount));
  return draft;
}

function applyAdded(draft: Draft, { source, amount }: { source: string; amount: string }): Draft {
  if (draft.sources.has(source)) return draft;
  draft.sources.add(source);
  draft.balance = plain(new Decimal(draft.balance).plus(amount));
  return draft;
}

const opened = ({ customerId, currency }: About): Draft => ({
  customerId,
  currency,
  balance: '0',
  sources: new Set(),
  spends: new Map(),
});

/** Money that a payment left for the customer. Opens the account where there is none. */
export interface Addition {
  customerId: string;
  currency: string;
  source: string;
  paymentId: string;
  amount: string;
  reason: string;
}

/** Adds what a payment left. From a source that was seen before, or of nothing: nothing. */
export function addCredit(account: CreditAccount | null, addition: Addition, now: Instant): CreditEvent[] {
  if (account?.sources.has(addition.source)) return [];
  const amount = new Decimal(addition.amount);
  return amount.gt('0') ? [{ type: 'CreditAdded', data: { ...addition, amount: plain(amount), at: now } }] : [];
}

/** What a payment asks for. */
export interface SpendRequest {
  customerId: string;
  currency: string;
  paymentId: string;
  atMost: string;
}

/** Takes what there is, `atMost` at the most and in whole minor units. Once per payment: asked again, nothing. */
export function spendCredit(
  account: CreditAccount | null,
  { customerId, currency, paymentId, atMost }: SpendRequest,
  now: Instant,
): CreditEvent[] {
  if (account?.spends.has(paymentId)) return [];
  const there = least(new Decimal(account?.balance ?? '0'), new Decimal(atMost));
  const amount = there.round(decimalsOf(currency), Decimal.roundDown);
  const about = { customerId, currency, paymentId, at: now };
  return amount.gt('0')
    ? [{ type: 'CreditSpent', data: { ...about, amount: plain(amount) } }]
    : [{ type: 'CreditDeclined', data: about }];
}

/** What a payment that came to nothing gives back. */
export interface Restitution {
  customerId: string;
  currency: string;
  source: string;
  paymentId: string;
  amount: string;
}

/**
 * Gives back what a payment took, and never more than that. From a source that was seen before: nothing. A payment that
 * ends before it has asked is declined, so that a question still under way cannot take what nobody would give back.
 */
export function returnCredit(
  account: CreditAccount | null,
  { customerId, currency, source, paymentId, amount }: Restitution,
  now: Instant,
): CreditEvent[] {
  const about = { customerId, currency, paymentId, at: now };
  const spend = account?.spends.get(paymentId);
  if (!account || !spend) return [{ type: 'CreditDeclined', data: about }];
  const back = least(new Decimal(spend.amount).minus(spend.returned), new Decimal(amount));
  if (account.sources.has(source) || back.lte('0')) return [];
  return [{ type: 'CreditReturned', data: { ...about, source, amount: plain(back) } }];
}

/** The schema version that this code writes; a later one refuses the stream rather than guess at it. */
export const creditSchemaVersion = 1;

const creditEventTypes: ReadonlySet<string> = new Set<CreditEvent['type']>([
  'CreditAdded',
  'CreditSpent',
  'CreditReturned',
  'CreditDeclined',
]);

export const isCreditEvent = (event: Pick<RecordedEvent, 'type'>): boolean => creditEventTypes.has(event.type);

/** Reads a recorded event as one of ours. Throws where its type or schema version is newer than this code. */
export function readCreditEvent(event: RecordedEvent): CreditEvent {
  if (!isCreditEvent(event) || event.schemaVersion > creditSchemaVersion) {
    throw new Error(
      `event ${event.type} v${String(event.schemaVersion)} in stream ${event.streamId} is not known to this version of Finality`,
    );
  }
  return { type: event.type, data: event.data } as unknown as CreditEvent;
}

/** Folds an account's stream, oldest event first; null where it is empty. In one pass, however long it is. */
export const foldCredit = (events: readonly RecordedEvent[]): CreditAccount | null =>
  events.reduce<Draft | null>((draft, event) => apply(draft, readCreditEvent(event)), null);
