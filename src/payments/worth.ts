import type { Instant } from '../kernel/clock.js';
import { decimalsOf } from '../kernel/money.js';
import { Decimal, plain, sum } from './decimal.js';
import type { GatewayStatus } from './payment-gateway.js';

/*
 * What transfers are worth in the payment's currency. Evidence is believed in this order: the transfer's own units where
 * it is in that currency; the gateway's US-dollar worth of the transfer; the gateway's prices as they were recorded when
 * the transfer was first looked at. Never its `rate` (it is 1 in a captured sandbox callback for BTC).
 */

/** One on-chain transaction toward a payment: the union of what the witnesses said of it. */
export interface Transfer {
  /** Unique within the payment. */
  key: string;
  txHash: string;
  status: 'confirming' | 'confirmed' | 'failed';
  currency: string;
  network: string;
  address: string | null;
  sentAmount: string;
  receivedAmount: string | null;
  /** Worth in US dollars where the gateway gave it. */
  valueUsd: string | null;
  /** US dollars for one unit of its coin and of the payment's currency, where they were recorded. */
  priced?: { coin: string; due: string };
  /** Money was given back by its price: a worth that is told later no longer replaces it. */
  pinned?: boolean;
  /** The gateway has called it confirmed when it was asked: a callback alone has not. */
  vouched?: boolean;
  confirmations: number | null;
  /** The gateway's time where it gave one, else when we first heard of it. */
  firstSeenAt: Instant;
  /** Whether that is the gateway's. */
  dated?: boolean;
}

export const counted = (transfer: Transfer): boolean => transfer.status !== 'failed';

export interface WorthFacts {
  /** What is to come in by transfers. */
  amount: string;
  /** What the gateway's invoice asks for. */
  invoiced: string;
  currency: string;
  /** Worth of the invoice in US dollars, where the gateway gave it. */
  valueUsd: string | null;
  gatewayStatus: GatewayStatus | null;
}

export interface Worth {
  amount: Decimal;
  /** Whether prices that were looked up had to stand in for what the gateway did not say. */
  estimated: boolean;
}

/**
 * How far prices may have moved between the gateway's own reckoning and our look at them, in percent. Within it the
 * gateway's verdict decides, not the estimate.
 */
const driftPercent = '2';

/** The gateway's word for "fully paid": nothing else counts as money there. */
export const settled = (status: GatewayStatus | null): boolean => status === 'paid' || status === 'manual_accept';

/**
 * What the counted transfers are worth in the payment's currency; null where nobody can say. Where `vouch` is false, an
 * estimate stays as it is, whatever the gateway calls the payment.
 */
export function worthOf(transfers: readonly Transfer[], facts: WorthFacts, vouch = true): Worth | null {
  const sent = transfers.filter(counted);
  const own = sum(sent.filter(({ currency }) => currency === facts.currency).map(({ sentAmount }) => sentAmount));
  const others = sent.filter(({ currency }) => currency !== facts.currency);
  if (others.length === 0) return { amount: own, estimated: false };
  const told = byGateway(others, facts);
  if (told !== null) return { amount: own.plus(told), estimated: false };
  const priced = byPrices(others, facts);
  if (priced === null) return null;
  const amount = own.plus(priced);
  return { amount: vouch ? vouched(amount, facts) : amount, estimated: true };
}

function byGateway(transfers: readonly Transfer[], facts: WorthFacts): Decimal | null {
  const dollars: string[] = [];
  for (const { valueUsd, pinned } of transfers) {
    if (valueUsd === null || pinned) return null;
    dollars.push(valueUsd);
  }
  return fromDollars(sum(dollars), transfers, facts);
}

/** Worth that went through dollars is compared at the currency's minor unit, where the gateway's own rounding ends. */
function fromDollars(dollars: Decimal, transfers: readonly Transfer[], facts: WorthFacts): Decimal | null {
  if (facts.currency === 'USD') return dollars.round(2, Decimal.roundHalfUp);
  if (facts.valueUsd === null) return null;
  const whole = new Decimal(facts.valueUsd);
  if (whole.lte('0')) return null;
  if (dollars.round(2, Decimal.roundHalfUp).eq(whole.round(2, Decimal.roundHalfUp))) {
    // Whether `value` means the worth of what is due or of what has come so far is not documented: while money still
    // comes the two readings differ, so only the gateway's verdict makes it the whole amount.
    const whollyPriced = transfers.every(({ priced }) => priced !== undefined);
    return settled(facts.gatewayStatus) && !whollyPriced ? new Decimal(facts.invoiced) : null;
  }
  return rounded(dollars.times(facts.invoiced).div(whole), facts.currency);
}

function byPrices(transfers: readonly Transfer[], facts: WorthFacts): Decimal | null {
  let total = new Decimal('0');
  // What was told in dollars needs the price of the payment's currency alone, whichever transfer it was recorded for.
  const anyDue = transfers.find(({ priced }) => priced !== undefined)?.priced?.due;
  for (const { valueUsd, sentAmount, priced, pinned } of transfers) {
    const told = pinned ? null : valueUsd;
    const dollars = told ?? (priced && plain(new Decimal(sentAmount).times(priced.coin)));
    const due = priced?.due ?? anyDue;
    if (dollars === undefined || due === undefined) return null;
    total = total.plus(new Decimal(dollars).div(due));
  }
  return rounded(total, facts.currency);
}

const rounded = (amount: Decimal, currency: string): Decimal =>
  amount.round(Math.min(decimalsOf(currency), 8), Decimal.roundHalfUp);

const drift = (amount: Decimal): Decimal => amount.times(driftPercent).div('100');

/** An estimate near what the invoice asks for is that amount once the gateway, at its own prices, calls it paid. */
function vouched(estimate: Decimal, facts: WorthFacts): Decimal {
  const due = new Decimal(facts.invoiced);
  return facts.gatewayStatus === 'paid' && estimate.minus(due).abs().lte(drift(due)) ? due : estimate;
}

/** Whether an estimate is so little short that only the gateway can say whether it is. */
export const nearlyEnough = ({ amount, estimated }: Worth, enough: Decimal): boolean =>
  estimated && amount.lt(enough) && amount.gte(enough.minus(drift(enough)));

/** Whether the worth of some transfer hangs on prices that nobody has recorded yet. */
export const needsPrices = (transfers: readonly Transfer[], facts: WorthFacts): boolean =>
  transfers.some((transfer) => counted(transfer) && transfer.currency !== facts.currency && !transfer.priced) &&
  worthOf(transfers, facts) === null;

/** Notes the prices on the transfers that came before them; a transfer keeps the first that it was given. */
export const withPrices = (
  transfers: readonly Transfer[],
  usd: Readonly<Record<string, string>>,
  currency: string,
): Transfer[] =>
  transfers.map((transfer) => {
    const coin = usd[transfer.currency];
    const due = usd[currency];
    return transfer.priced || coin === undefined || due === undefined
      ? transfer
      : { ...transfer, priced: { coin, due } };
  });

/** What was given back by a price stays worth that: late money where late money was given back, else all of it. */
export const pinPrices = (transfers: readonly Transfer[], clause: string, deadline: Instant): Transfer[] =>
  transfers.map((transfer) => {
    const given = clause !== 'latePayment' || transfer.firstSeenAt > deadline;
    return given && transfer.priced && transfer.valueUsd === null ? { ...transfer, pinned: true } : transfer;
  });

/** How many units of a coin stand for an amount in the payment's currency, rounded down; null where nobody can say. */
export function unitsOf(
  amount: string,
  coin: string,
  transfers: readonly Transfer[],
  facts: WorthFacts,
): string | null {
  if (coin === facts.currency) return amount;
  const same = transfers.filter((transfer) => counted(transfer) && transfer.currency === coin);
  const worth = same.length === 0 ? null : worthOf(same, facts);
  if (worth === null || worth.amount.lte('0')) return null;
  const units = sum(same.map(({ sentAmount }) => sentAmount));
  return plain(
    units
      .times(amount)
      .div(worth.amount)
      .round(Math.min(decimalsOf(coin), 8), Decimal.roundDown),
  );
}
