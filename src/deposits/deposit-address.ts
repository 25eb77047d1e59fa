import { addSeconds, msOf, type Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import type { DepositedTransfer } from '../payments/deposit.js';
import type { GatewayReport, OpenedAddress, ReportedTransfer } from '../payments/payment-gateway.js';
import { pair, retold } from '../payments/transfers.js';

/*
 * A static address: one per customer and network, open for any number of transfers of any coin of that network.
 */

export interface AddressTerms {
  id: string;
  applicationId: string;
  customerId: string;
  /** The network's code as it was asked for, in capitals. */
  network: string;
  sandbox: boolean;
  requestedAt: Instant;
}

type Revoker = 'application' | 'gateway';

/** What happens to an address, in the past tense; its stream's id is the address's. */
export type DepositAddressEvent =
  | { type: 'DepositAddressRequested'; data: AddressTerms }
  /** The gateway could not be asked, or its answer was lost; another one is asked for later. */
  | { type: 'DepositAddressDelayed'; data: { outcome: 'unavailable' | 'unknown'; detail: string; at: Instant } }
  /** A further try begins; whoever appended this may ask the gateway, nobody else. */
  | { type: 'DepositAddressRetried'; data: { attempt: number; at: Instant } }
  | { type: 'DepositAddressOpened'; data: OpenedAddress & { at: Instant } }
  | { type: 'DepositAddressRefused'; data: { field: string | null; detail: string; at: Instant } }
  /** A transfer that was not known before: `paymentId` is the payment that it makes. */
  | { type: 'DepositSeen'; data: DepositSeen & { at: Instant } }
  /** A report described the transfer of a deposit more exactly: by its hash, or by what was sent. */
  | { type: 'DepositRetold'; data: { paymentId: string; transfer: DepositedTransfer; at: Instant } }
  /** The gateway credits nothing more: because the application ended it, or because the gateway did (after six idle months). */
  | { type: 'DepositAddressRevoked'; data: { by: Revoker; at: Instant } };

export interface DepositSeen {
  paymentId: string;
  transfer: DepositedTransfer;
  afterRevocation: boolean;
}

export interface DepositAddress {
  terms: AddressTerms;
  status: 'opening' | 'open' | 'revoked' | 'refused';
  opening: { attempt: number; outcome: 'unavailable' | 'unknown' | null; since: Instant };
  /** Null until the gateway has given one. */
  opened: (OpenedAddress & { at: Instant }) | null;
  seen: (DepositSeen & { at: Instant })[];
  revoked: { by: Revoker; at: Instant } | null;
  /** Why the gateway refused it; null where it did not. */
  refusal: string | null;
}

const types: ReadonlySet<string> = new Set<DepositAddressEvent['type']>([
  'DepositAddressRequested',
  'DepositAddressDelayed',
  'DepositAddressRetried',
  'DepositAddressOpened',
  'DepositAddressRefused',
  'DepositSeen',
  'DepositRetold',
  'DepositAddressRevoked',
]);

/** The event that every address's stream begins with, and no other. */
export const firstAddressEvent = 'DepositAddressRequested' satisfies DepositAddressEvent['type'];
export const addressSchemaVersion = 1;

export const isAddressEvent = ({ type }: Pick<RecordedEvent, 'type'>): boolean => types.has(type);

/** Throws where the type or schema version is newer than this code. */
export function readAddressEvent(event: RecordedEvent): DepositAddressEvent {
  if (!isAddressEvent(event) || event.schemaVersion > addressSchemaVersion)
    throw new Error(
      `event ${event.type} v${String(event.schemaVersion)} in stream ${event.streamId} is not known to this version of Finality`,
    );
  return { type: event.type, data: event.data } as unknown as DepositAddressEvent;
}

/** Applies one event. Total: an event that does not fit the state leaves it as it is. */
export function evolveAddress(address: DepositAddress | null, event: DepositAddressEvent): DepositAddress | null {
  if (event.type === 'DepositAddressRequested') return address ?? requested(event.data);
  if (address === null) return null;
  switch (event.type) {
    case 'DepositAddressDelayed':
      return { ...address, opening: { ...address.opening, outcome: event.data.outcome } };
    case 'DepositAddressRetried':
      return { ...address, opening: { attempt: event.data.attempt, outcome: null, since: event.data.at } };
    case 'DepositAddressOpened':
      return address.opened === null ? { ...address, status: 'open', opened: event.data } : address;
    case 'DepositAddressRefused':
      return { ...address, status: 'refused', refusal: event.data.detail };
    case 'DepositSeen':
      return { ...address, seen: [...address.seen, event.data] };
    case 'DepositRetold': {
      const { paymentId, transfer } = event.data;
      return {
        ...address,
        seen: address.seen.map((known) => (known.paymentId === paymentId ? { ...known, transfer } : known)),
      };
    }
    case 'DepositAddressRevoked':
      return { ...address, status: 'revoked', revoked: address.revoked ?? event.data };
  }
}

const requested = (terms: AddressTerms): DepositAddress => ({
  terms,
  status: 'opening',
  opening: { attempt: 1, outcome: null, since: terms.requestedAt },
  opened: null,
  seen: [],
  revoked: null,
  refusal: null,
});

/** Folds a stream, oldest event first; null where it holds no address. */
export const foldAddress = (events: readonly RecordedEvent[]): DepositAddress | null =>
  events.reduce<DepositAddress | null>((address, event) => evolveAddress(address, readAddressEvent(event)), null);

/** The gateway gave an address. */
export const addressOpened = (address: DepositAddress, opened: OpenedAddress, now: Instant): DepositAddressEvent[] =>
  address.status === 'opening' ? [{ type: 'DepositAddressOpened', data: { ...opened, at: now } }] : [];

export const addressRefused = (
  address: DepositAddress,
  refusal: { field: string | null; detail: string },
  now: Instant,
): DepositAddressEvent[] =>
  address.status === 'opening' ? [{ type: 'DepositAddressRefused', data: { ...refusal, at: now } }] : [];

export const addressDelayed = (
  address: DepositAddress,
  outcome: 'unavailable' | 'unknown',
  detail: string,
  now: Instant,
): DepositAddressEvent[] =>
  address.status === 'opening' && address.opening.outcome !== outcome
    ? [{ type: 'DepositAddressDelayed', data: { outcome, detail, at: now } }]
    : [];

/** Longer than any try can take. */
const tryLastsSeconds = 30;
const unavailablePauseSeconds = 5;

/** Whether nobody can be asking the gateway any more: then another try may begin. */
export const mayRetry = ({ status, opening }: DepositAddress, now: Instant): boolean =>
  status === 'opening' &&
  now >= addSeconds(opening.since, opening.outcome === 'unavailable' ? unavailablePauseSeconds : tryLastsSeconds);

/**
 * Claims the next try to get an address; the append decides who may ask. Where an answer was lost there may be an address
 * at the gateway that nobody was ever shown: it stays unused, and the gateway ends it after six months.
 */
export const retryAddress = (address: DepositAddress, attempt: number, now: Instant): DepositAddressEvent[] =>
  address.opening.attempt === attempt && mayRetry(address, now)
    ? [{ type: 'DepositAddressRetried', data: { attempt: attempt + 1, at: now } }]
    : [];

export const addressRevoked = (address: DepositAddress, by: Revoker, now: Instant): DepositAddressEvent[] =>
  address.status === 'opening' || address.status === 'open'
    ? [{ type: 'DepositAddressRevoked', data: { by, at: now } }]
    : [];

/**
 * One event for each transfer in a report that is not known yet, or is described more exactly: what it is known by next
 * time has to be what its payment knows it by. Cumulative reports and those of the newest alone end in the same.
 */
export function depositsSeen(
  address: DepositAddress,
  report: GatewayReport,
  nextId: () => string,
  now: Instant,
): DepositAddressEvent[] {
  if (address.opened === null) return [];
  const { pairs, others } = paired(address, report);
  const retelling = pairs.flatMap(([{ paymentId, ...known }, told]): DepositAddressEvent[] => {
    const transfer = retold(known, told);
    return isSame(known, transfer) ? [] : [{ type: 'DepositRetold', data: { paymentId, transfer, at: now } }];
  });
  const seen = others.map((told): DepositAddressEvent => ({
    type: 'DepositSeen',
    data: { paymentId: nextId(), transfer: toldOf(told), afterRevocation: address.revoked !== null, at: now },
  }));
  return [...retelling, ...seen];
}

const isSame = (a: DepositedTransfer, b: DepositedTransfer): boolean =>
  a.txHash === b.txHash && a.sentAmount === b.sentAmount && a.receivedAmount === b.receivedAmount;

const paired = ({ seen }: DepositAddress, report: GatewayReport) =>
  pair(
    seen.map(({ paymentId, transfer }) => ({ paymentId, ...transfer })),
    report.transfers.filter(({ status }) => status !== 'failed'),
  );

/** The transfers of a report that no deposit is known of. */
export const unknownIn = (address: DepositAddress, report: GatewayReport): DepositedTransfer[] =>
  paired(address, report).others.map(toldOf);

const toldOf = ({ txHash, currency, sentAmount, receivedAmount }: ReportedTransfer): DepositedTransfer => ({
  txHash,
  currency,
  sentAmount,
  receivedAmount,
});

/** The deposits that a report speaks of. */
export function depositsIn({ seen }: DepositAddress, report: GatewayReport): DepositSeen[] {
  const known = seen.map((deposit) => ({ ...deposit.transfer, deposit }));
  return pair(known, report.transfers).pairs.map(([{ deposit }]) => deposit);
}

/** When something last happened on it. */
export const lastActivity = ({ seen, opened, terms }: DepositAddress): Instant =>
  seen.at(-1)?.at ?? opened?.at ?? terms.requestedAt;

/** The gateway ends an address without a transaction for six months (docs.oxapay.com, revoking a static address). */
const idleDays = 182;

/** When the gateway ends an open address on which something last happened at `active`, unless money comes. */
export const endsIdleAt = (active: Instant): Instant => addSeconds(active, idleDays * 86_400);

const leastPauseSeconds = 600;
const mostPauseSeconds = 86_400;
/** What comes to a revoked address may still be told of, and matters to whoever sent it. */
const watchedAfterRevocationDays = 180;

const quietSeconds = (address: DepositAddress, now: Instant): number =>
  (msOf(now) - msOf(lastActivity(address))) / 1000;

/** Whether the gateway may have ended it by itself, or by somebody's hand there: nothing has happened on it for a day. */
export const isQuiet = (address: DepositAddress, now: Instant): boolean =>
  address.status === 'open' && quietSeconds(address, now) > 86_400;

/**
 * When the gateway is to be asked what came to an address, because a callback may have been lost: ten minutes after
 * something happened, then ever less often, once a day in the end. Null where nothing can come any more.
 */
export function nextWatch(address: DepositAddress, now: Instant): Instant | null {
  if (address.status === 'opening') return addSeconds(now, tryLastsSeconds);
  if (address.opened === null) return null;
  const { revoked } = address;
  if (revoked && now > addSeconds(revoked.at, watchedAfterRevocationDays * 86_400)) return null;
  return addSeconds(
    now,
    Math.round(Math.min(mostPauseSeconds, Math.max(leastPauseSeconds, quietSeconds(address, now) / 4))),
  );
}
