import type { RecordedEvent } from '../kernel/event.js';
import { isFulfillmentEvent, readFulfillmentEvent, type FulfillmentEvent } from '../fulfillment/fulfillment.js';
import { readPaymentEvent } from '../payments/payment-stream.js';
import { showAmount } from '../payments/payment-view.js';
import type { PaymentEvent, Terms, Witness } from '../payments/payment.js';
import { reviewWords } from '../payments/sentences.js';
import type { ReviewReason } from '../payments/review-reasons.js';
import type { Transfer } from '../payments/worth.js';

/*
 * Each event as one sentence, for whoever reads a timeline. The numbers and names are the event's own.
 */

type AnyEvent = PaymentEvent | FulfillmentEvent;
type DataOf = { [E in AnyEvent as E['type']]: E['data'] };
type EventOf<T extends keyof DataOf> = { [K in T]: { type: K; data: DataOf[K] } }[T];
type Words = { [T in keyof DataOf]: (data: DataOf[T], terms: Terms) => string };

/** What an event of a payment, or of its fulfilment, says. */
export const eventInWords = (event: RecordedEvent, terms: Terms): string =>
  told(isFulfillmentEvent(event) ? readFulfillmentEvent(event) : readPaymentEvent(event), terms);

const told = <T extends keyof DataOf>({ type, data }: EventOf<T>, terms: Terms): string => words[type](data, terms);

const money = (amount: string, { currency }: Terms): string => `${showAmount(amount, currency)} ${currency}`;

const witnesses: Readonly<Record<Witness, string>> = {
  callback: 'a callback of the gateway',
  poll: "the gateway's own answer",
  operator: 'a person',
  service: "the service's own books",
};

const reasonsIn = (reasons: readonly ReviewReason[]): string => reasons.map((reason) => reviewWords[reason]).join('; ');

const transferIn = ({ sentAmount, currency, network, status, confirmations }: Transfer): string =>
  `${sentAmount} ${currency} on ${network}, ${status}${confirmations === null ? '' : ` with ${String(confirmations)} confirmations`}`;

const words: Words = {
  PaymentRequested: ({ orderId, deposit }, terms) =>
    deposit
      ? `A transfer of ${money(terms.amount, terms)} came to the customer's deposit address ${deposit.address}${deposit.afterRevocation ? ', after it was revoked' : ''}.`
      : `The application asked for ${money(terms.amount, terms)} for ${orderId}.`,
  InvoiceDelayed: ({ outcome }) =>
    outcome === 'unavailable' ? 'The gateway could not be reached.' : "The gateway's answer was lost.",
  InvoiceRetried: ({ attempt }) => `Attempt ${String(attempt)} to open the invoice begins.`,
  InvoiceOpened: ({ trackId, adopted, expiresAt }, { deposit }) =>
    deposit
      ? `It runs under the track id of its address, ${trackId}; the gateway is asked about it often until ${expiresAt}.`
      : `The gateway ${adopted ? 'had opened' : 'opened'} invoice ${trackId}; the payer has until ${expiresAt}.`,
  InvoiceRefused: ({ detail }) => `The gateway refused to open it: ${detail}.`,
  GatewayReported: ({ status, witness }) => `The gateway calls it “${status}”, by ${witnesses[witness]}.`,
  TransferDetected: ({ transfer }) => `A transfer was seen: ${transferIn(transfer)}.`,
  TransferUpdated: ({ transfer }) => `A transfer moved on: ${transferIn(transfer)}.`,
  AmountAssessed: ({ received, estimated }, terms) =>
    received === null
      ? 'What the transfers are worth is not known.'
      : `The transfers come to ${money(received, terms)}${estimated ? ", at the gateway's prices of the time" : ''}.`,
  PricesRecorded: () => "The gateway's prices were noted, for transfers without a worth of their own.",
  ContradictionFound: ({ kind, expected, reported }) =>
    `The gateway speaks of another ${kind}: ${reported}, where ${expected} was asked for.`,
  PaymentPaid: ({ clause, late, witness }) =>
    `Paid by ${clause}${late ? ', late' : ''}: ${witnesses[witness]} says so.`,
  PaymentCorroborated: () => "The gateway's own answer, or a person, confirmed it.",
  CorroborationDelayed: ({ reason, goAheadAt }) =>
    `The gateway ${reason === 'silent' ? 'gave no answer' : 'did not confirm it yet'} when it was asked; fulfilment waits${goAheadAt === null ? '' : ` until ${goAheadAt} at most`}.`,
  CorroborationWaived: ({ silentSince }) =>
    `The gateway has been silent since ${silentSince}; its callback alone will do, as this installation is set.`,
  PaymentExpired: ({ clause }) => `Expired by ${clause}.`,
  PaymentCancelled: () => 'It was cancelled.',
  PaymentRejected: () => 'A person decided that it will not be completed.',
  ReviewOpened: ({ reasons }) => `A person is asked: ${reasonsIn(reasons)}.`,
  ReviewWithdrawn: ({ reasons }) => `No person is needed any more for this: ${reasonsIn(reasons)}.`,
  ReviewResolved: ({ actor, decision, note }) => `${actor} decided “${decision}”: ${note}`,
  ExcessKept: ({ amount, clause }, terms) => `${money(amount, terms)} stays with the merchant (${clause}).`,
  CreditGranted: ({ amount, clause }, terms) => `The customer is credited ${money(amount, terms)} (${clause}).`,
  CreditApplied: ({ amount }, terms) => `The customer's credit pays ${money(amount, terms)} of the price.`,
  CreditReleased: ({ amount }, terms) => `Up to ${money(amount, terms)} of credit goes back to the customer.`,
  RemainderRequested: ({ amount, paymentId, until }, terms) =>
    `Payment ${paymentId} collects the missing ${money(amount, terms)} until ${until}.`,
  RemainderConcluded: ({ of, outcome }) =>
    `Payment ${of} is told that this one ${outcome === 'paid' ? 'is paid' : 'has ended'}.`,
  RemainderSettled: ({ paymentId, outcome, amount }, terms) =>
    outcome === 'paid'
      ? `Payment ${paymentId} has brought the missing ${money(amount, terms)}.`
      : `Payment ${paymentId} has ended without the missing ${money(amount, terms)}.`,
  RefundRequested: ({ number, amount, payout, reason }, terms) =>
    `Refund ${String(number)} of ${money(amount, terms)} is asked for, as ${payout.amount} ${payout.currency} on ${payout.network}: ${reason}`,
  RefundAttempted: ({ number, attempt }) => `Attempt ${String(attempt)} to send refund ${String(number)} begins.`,
  RefundDelayed: ({ number, outcome, detail }) =>
    `Refund ${String(number)} ${outcome === 'unknown' ? 'may have been sent' : 'was not sent and is tried again'}: ${detail}.`,
  RefundSubmitted: ({ number, trackId, adopted }) =>
    `The gateway ${adopted ? 'was found to have taken' : 'took'} refund ${String(number)}, as payout ${trackId}.`,
  RefundConfirmed: ({ number, txHash }) =>
    `Refund ${String(number)} has arrived${txHash === null ? '' : ` by transaction ${txHash}`}.`,
  RefundFailed: ({ number, detail }) => `Refund ${String(number)} failed: ${detail}.`,
  FulfillmentRequested: () => 'The application is asked for the goods.',
  FulfillmentAccepted: () => 'The application took note, and delivers later.',
  FulfillmentReported: ({ outcome, via, reference }) =>
    `The application says that it ${outcome === 'fulfilled' ? 'delivered' : 'does not deliver'}, by ${via === 'api' ? 'the API' : 'its answer to the webhook'}${reference === null ? '' : `: ${reference}`}.`,
  FulfillmentStopped: ({ reason }) => `The request for the goods is stopped: ${reason}.`,
  FulfillmentResumed: () => 'The request for the goods goes on.',
  FulfillmentUnanswered: () => 'The application did not answer for good.',
};
