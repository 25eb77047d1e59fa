import { unknownIn, type DepositAddress } from '../deposits/deposit-address.js';
import { isUuid } from '../kernel/ids.js';
import { ownPart } from '../payments/deposit.js';
import type { GatewayReport, GatewayStatus, ReportedTransfer } from '../payments/payment-gateway.js';
import { isLeftBehind, isReportable, type Payment, type Reportable } from '../payments/payment.js';
import { counted, type Transfer } from '../payments/worth.js';
import { difference, isSame, money, type Difference, type Explained, type Outcome, type Total } from './match.js';

/*
 * One payment in our events and in the gateway's history.
 */

const none: Outcome = { differences: [], explained: [], totals: [] };

/** Holds a payment of ours against what the gateway says of it now; null where the one or the other does not know it. */
export function matchPayment(ours: Payment | null, told: GatewayReport | null): Outcome {
  const report = ours && told && isReportable(ours) ? ownPart(ours, told) : told;
  if (ours === null) return report === null ? none : unknownHere(report);
  if (report !== null && isLeftBehind(ours, report)) return leftBehind(ours, report);
  if (!isReportable(ours)) return report === null ? withoutInvoice(ours) : secondInvoice(ours, null, report);
  if (report === null) return unknownThere(ours);
  if (ours.invoice.trackId !== report.trackId) return secondInvoice(ours, ours.invoice.trackId, report);
  const price = matchPrice(ours, report);
  const received = matchTransfers(ours, report);
  const status = matchStatus(ours, report.status);
  return {
    differences: [...price.differences, ...received.differences, ...(status && 'kind' in status ? [status] : [])],
    explained: status && 'code' in status ? [status] : [],
    totals: [...price.totals, ...received.totals],
  };
}

/** The gateway has it in a status that this version does not know. */
export const matchUnread = (paymentId: string): Outcome => ({
  ...none,
  differences: [
    difference(
      'status_differs',
      { paymentId, trackId: null },
      {
        here: 'known',
        there: 'a status that this version does not know',
        sentence: 'The gateway tells of it in a word that this version of Finality cannot read.',
      },
    ),
  ],
});

/** Our own events of it cannot be read. */
export const matchUnreadable = (paymentId: string, fault: string): Outcome => ({
  ...none,
  differences: [
    difference(
      'unreadable',
      { paymentId, trackId: null },
      { here: fault, there: 'not compared', sentence: 'The events of this payment cannot be read.' },
    ),
  ],
});

/** Transfers to a deposit address that the gateway tells of and nobody has heard of here. */
export function matchAddress(address: DepositAddress, report: GatewayReport): Outcome {
  const unknown = unknownIn(address, report);
  if (unknown.length === 0) return none;
  const { trackId } = report;
  const here = cameIn(address.seen.map(({ transfer }) => transfer));
  const sentence = `The gateway tells of ${cameIn(unknown)} at a deposit address that is not known here.`;
  return {
    differences: [
      difference('missing_here', { paymentId: null, trackId }, { here, there: cameIn(live(report)), sentence }),
    ],
    explained: [],
    totals: unknown.map(({ currency, sentAmount }) => ({ what: 'received', currency, here: '0', there: sentAmount })),
  };
}

const live = (report: GatewayReport): ReportedTransfer[] =>
  report.transfers.filter(({ status }) => status !== 'failed');

const receivedThere = (report: GatewayReport): Total[] =>
  live(report).map(({ currency, sentAmount }) => ({ what: 'received', currency, here: '0', there: sentAmount }));

const invoicedThere = ({ amount, currency }: GatewayReport): Total[] =>
  amount === null || currency === null ? [] : [{ what: 'invoiced', currency, here: '0', there: amount }];

const cameIn = (transfers: readonly Pick<Transfer, 'currency' | 'sentAmount'>[]): string =>
  transfers.length === 0
    ? 'nothing'
    : transfers.map(({ currency, sentAmount }) => money(sentAmount, currency)).join(' + ');

function unknownHere(report: GatewayReport): Outcome {
  const { trackId, orderId, status, type } = report;
  const asked = report.amount === null ? '' : ` over ${money(report.amount, report.currency ?? '')}`;
  const told = `${type} ${trackId}${asked}, ${status}; came in: ${cameIn(live(report))}`;
  if (orderId !== null && !isUuid(orderId)) {
    const sentence = `Order "${orderId.slice(0, 64)}" is of another system: ${told}.`;
    return { ...none, explained: [{ code: 'other_system', paymentId: null, trackId, sentence }] };
  }
  const sentence = `The gateway has a payment that is not known here${orderId === null ? ', without an order id' : ''}.`;
  return {
    differences: [
      difference('missing_here', { paymentId: orderId, trackId }, { here: 'nothing', there: told, sentence }),
    ],
    explained: [],
    totals: [...invoicedThere(report), ...receivedThere(report)],
  };
}

function withoutInvoice({ terms: { id }, status }: Payment): Outcome {
  const sentence = `It is ${status} here without an invoice at the gateway, which has none either.`;
  return { ...none, explained: [{ code: 'no_invoice', paymentId: id, trackId: null, sentence }] };
}

function unknownThere(ours: Reportable): Outcome {
  const { terms, invoiced, invoice, money: known } = ours;
  const transfers = known.transfers.filter(counted);
  const told = {
    here: `${ours.status}, ${money(invoiced, terms.currency)}; came in: ${cameIn(transfers)}`,
    there: 'nothing',
    sentence: 'The gateway does not know a payment that has an invoice here.',
  };
  return {
    differences: [difference('missing_at_gateway', { paymentId: terms.id, trackId: invoice.trackId }, told)],
    explained: [],
    totals: [
      { what: 'invoiced', currency: terms.currency, here: invoiced, there: '0' },
      ...transfers.map(({ currency, sentAmount }): Total => ({
        what: 'received',
        currency,
        here: sentAmount,
        there: '0',
      })),
    ],
  };
}

function leftBehind({ terms: { id } }: Payment, { trackId }: GatewayReport): Outcome {
  const sentence = 'The answer with its address was lost, and another invoice was opened: nobody was shown this one.';
  return { ...none, explained: [{ code: 'left_behind', paymentId: id, trackId, sentence }] };
}

function secondInvoice({ terms, status }: Payment, trackId: string | null, report: GatewayReport): Outcome {
  const told = {
    here: trackId === null ? `${status}, without an invoice` : `invoice ${trackId}`,
    there: `invoice ${report.trackId}, ${report.status}; came in: ${cameIn(live(report))}`,
    sentence: 'The gateway has an invoice for this payment that is not the one known here.',
  };
  return {
    differences: [difference('identity_differs', { paymentId: terms.id, trackId: report.trackId }, told)],
    explained: [],
    totals: [...invoicedThere(report), ...receivedThere(report)],
  };
}

function matchPrice(ours: Reportable, report: GatewayReport): Pick<Outcome, 'differences' | 'totals'> {
  const { terms, invoiced } = ours;
  const { amount, currency, trackId } = report;
  if (amount === null || currency === null) return none;
  const about = { paymentId: terms.id, trackId };
  const told = { here: money(invoiced, terms.currency), there: money(amount, currency) };
  const differences: Difference[] = [];
  if (currency !== terms.currency)
    differences.push(
      difference('currency_differs', about, {
        ...told,
        sentence: 'The invoice is in another currency at the gateway.',
      }),
    );
  else if (!isSame(amount, invoiced))
    differences.push(
      difference('amount_differs', about, { ...told, sentence: 'The invoice asks for another amount at the gateway.' }),
    );
  const here: Total = { what: 'invoiced', currency: terms.currency, here: invoiced, there: '0' };
  return { differences, totals: [here, ...invoicedThere(report)] };
}

/**
 * Which transactions both sides know. What an answer of the gateway calls a transaction's amount may be what was sent or
 * what was left of it after a fee; either is the same money. Their sums are told in the gateway's measure.
 */
function matchTransfers(ours: Reportable, report: GatewayReport): Pick<Outcome, 'differences' | 'totals'> {
  const rest = ours.money.transfers.filter(counted);
  const unknown: ReportedTransfer[] = [];
  const totals: Total[] = [];
  for (const told of live(report)) {
    const found = rest.find((known) => known.txHash === told.txHash && fits(known, told)) ?? rest.find((known) => fits(known, told)); // prettier-ignore
    const { currency, sentAmount } = told;
    if (found) rest.splice(rest.indexOf(found), 1);
    else unknown.push(told);
    totals.push({ what: 'received', currency, here: found ? sentAmount : '0', there: sentAmount });
  }
  for (const { currency, sentAmount } of rest)
    totals.push({ what: 'received', currency, here: sentAmount, there: '0' });
  if (unknown.length + rest.length === 0) return { differences: [], totals };
  const told = {
    here: cameIn(ours.money.transfers.filter(counted)),
    there: cameIn(live(report)),
    sentence:
      unknown.length === 0
        ? `The gateway does not tell of ${cameIn(rest)} that came in here.`
        : `The gateway tells of ${cameIn(unknown)} that is not known here${rest.length > 0 ? `, and not of ${cameIn(rest)}` : ''}.`,
  };
  return {
    differences: [difference('received_differs', { paymentId: ours.terms.id, trackId: report.trackId }, told)],
    totals,
  };
}

const fits = (known: Transfer, told: ReportedTransfer): boolean =>
  known.currency === told.currency &&
  (isSame(known.sentAmount, told.sentAmount) ||
    (known.receivedAmount !== null && isSame(known.receivedAmount, told.sentAmount)));

type Standing = 'open' | 'done' | 'short' | 'over' | 'back';

const standing: Readonly<Record<GatewayStatus, Standing>> = {
  new: 'open',
  waiting: 'open',
  paying: 'open',
  paid: 'done',
  manual_accept: 'done',
  underpaid: 'short',
  refunding: 'back',
  refunded: 'back',
  expired: 'over',
  failed: 'over',
};

/** What the gateway calls it where both sides see it alike. */
const alike: Readonly<Record<Payment['status'], readonly Standing[]>> = {
  created: [],
  pending: ['open'],
  paid: ['done'],
  expired: ['over', 'short'],
  failed: ['over'],
};

/** Null where both sides agree. What the gateway says and we have heard was judged here; what we have not is news. */
function matchStatus(ours: Reportable, theirs: GatewayStatus): Difference | Explained | null {
  const { terms, status, invoice, money: known } = ours;
  const there = standing[theirs];
  const heard = known.gatewayStatus === null ? 'open' : standing[known.gatewayStatus];
  const about = { paymentId: terms.id, trackId: invoice.trackId };
  if (alike[status].includes(there)) return null;
  if (there === 'open' && (status === 'expired' || status === 'failed'))
    return {
      code: 'closed_here_first',
      ...about,
      sentence: `It is ${status} here; the gateway still calls it ${theirs}.`,
    };
  if (heard === there)
    return {
      code: 'judged_here',
      ...about,
      sentence: `It is ${status} here by ${ruleOf(ours)}; the gateway calls it ${theirs}.`,
    };
  return difference('status_differs', about, {
    here: `${status} (last heard of the gateway: ${known.gatewayStatus ?? 'nothing'})`,
    there: theirs,
    sentence: `It is ${status} here, and the gateway calls it ${theirs}, which was not heard of here.`,
  });
}

function ruleOf(ours: Reportable): string {
  const { name, version } = ours.terms.policy;
  const clause = 'clause' in ours ? `${ours.clause} of ` : '';
  return `${clause}policy ${name} v${String(version)}`;
}
