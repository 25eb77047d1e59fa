import { Decimal, plain } from './amounts.js';
import { conflict, expectTransfer, percentOf, sufficientConfirmations, usualCoin } from './commands.js';
import type { FakeGateway, Paying, Telling } from './fake-gateway.js';
import { coinOf, networkFor } from './market.js';
import type { Payment } from './ledger.js';
import { isOpen, missing } from './settlement.js';

export const scenarioNames = [
  'exact',
  'underpaid',
  'topped_up',
  'overpaid',
  'late',
  'mixed',
  'duplicate_callbacks',
  'out_of_order',
  'no_callbacks',
  'conflicting',
] as const;
export type ScenarioName = (typeof scenarioNames)[number];

export interface Stage {
  gateway: FakeGateway;
  payment: Payment;
  /** Also tell the merchant of statuses that the gateway does not promise to tell. */
  tellAll: boolean;
  advance: (seconds: number) => Promise<void>;
}

type Scenario = (stage: Stage) => string[] | Promise<string[]>;

/** Plays a scenario on an open payment and says, sentence by sentence, what happened. Throws 409 where it cannot. */
export async function play(name: ScenarioName, stage: Stage): Promise<string[]> {
  expectTransfer(stage.payment);
  if (stage.payment.type === 'static_address') throw conflict('scenarios need an amount due; send transfers instead');
  if (name !== 'late' && !isOpen(stage.payment)) throw conflict(`the payment is already ${stage.payment.status}`);
  return scenarios[name](stage);
}

const scenarios: Readonly<Record<ScenarioName, Scenario>> = {
  exact: (stage) => [pay(stage, missing(stage.payment)), confirm(stage)],
  underpaid: (stage) => [
    pay(stage, percentOf(stage.payment, '60')),
    confirm(stage),
    'The rest stays unpaid until the deadline.',
  ],
  topped_up: (stage) => {
    const first = stage.payment.transfers.length === 0 ? [pay(stage, percentOf(stage.payment, '40'))] : [];
    return [...first, pay(stage, missing(stage.payment)), confirm(stage)];
  },
  overpaid: (stage) => [pay(stage, missing(stage.payment).plus(percentOf(stage.payment, '10'))), confirm(stage)],
  late,
  mixed,
  duplicate_callbacks: (stage) => repeated(stage, (paying, paid) => [paying, paying, paying, paid, paid, paid]),
  out_of_order: (stage) => repeated(stage, (paying, paid) => [paid, paying]),
  no_callbacks: (stage) => [
    pay(stage, missing(stage.payment), 'never'),
    confirm(stage, 'never'),
    'No callback was sent.',
  ],
  conflicting,
};

const usual = (stage: Stage): Telling => (stage.tellAll ? 'always' : 'usual');

function pay(stage: Stage, worth: Decimal, telling = usual(stage), symbol?: string): string {
  const { gateway, payment } = stage;
  if (worth.lte('0')) throw conflict('nothing is missing from this payment');
  const transfer = gateway.seeTransfer(payment, { ...coin(payment, symbol), worth, confirmations: 0 }, telling);
  const counted = transfer.counts ? '' : ' It does not count toward the amount.';
  return `${transfer.sent} ${transfer.currency} was seen on ${transfer.network}, worth ${plain(worth)} ${payment.currency}.${counted}`;
}

function confirm(stage: Stage, telling = usual(stage)): string {
  const { gateway, payment } = stage;
  const count = sufficientConfirmations(payment);
  gateway.confirm(payment, count, telling);
  return `Every transfer has ${count} confirmations; the payment is ${payment.status}.`;
}

function coin(payment: Payment, symbol?: string): Pick<Paying, 'currency' | 'chain'> {
  const first = usualCoin(payment);
  const currency = symbol ?? first.currency;
  const chain = networkFor(currency, symbol === undefined ? first.network : null);
  if (!chain || !coinOf(currency)) throw conflict(`${currency} cannot be paid here`);
  return { currency, chain };
}

async function late(stage: Stage): Promise<string[]> {
  const { gateway, payment } = stage;
  const said: string[] = [];
  if (isOpen(payment) && payment.expiresMs !== null) {
    const rest = Math.max(0, Math.ceil((payment.expiresMs - gateway.nowMs) / 1000)) + 60;
    await stage.advance(rest);
    said.push(`The clock moved ${rest} seconds, past the deadline; the payment is ${payment.status}.`);
  }
  // A payment whose full amount is confirming outlives its deadline: there is nothing late to pay then.
  if (isOpen(payment)) throw conflict('the full amount is already on its way; confirm it instead');
  return [...said, pay(stage, missing(payment)), confirm(stage)];
}

function mixed(stage: Stage): string[] {
  const other = usualCoin(stage.payment).currency === 'LTC' ? 'USDT' : 'LTC';
  if (stage.payment.address !== '') throw conflict('the address of this payment takes one coin only');
  const half = missing(stage.payment).div('2').round(18, 3);
  const first = pay(stage, half);
  return [first, pay(stage, missing(stage.payment), usual(stage), other), confirm(stage)];
}

type Message = NonNullable<ReturnType<FakeGateway['message']>>;

/** Pays exactly; the two callbacks, Paying and Paid, go out as arranged, the copies byte for byte the same. */
function repeated(stage: Stage, arrange: (paying: Message, paid: Message) => Message[]): string[] {
  const { gateway, payment } = stage;
  expectCallbacks(payment);
  const seen = pay(stage, missing(payment), 'never');
  const paying = gateway.message(payment);
  const settled = confirm(stage, 'never');
  const paid = gateway.message(payment);
  const sent = paying && paid ? arrange(paying, paid) : [];
  for (const message of sent) gateway.send(payment, message);
  gateway.keepPayment(payment);
  return [seen, settled, `Callbacks in this order: ${sent.map((message) => message.status).join(', ')}.`];
}

/** The callback says that everything was paid; asked, the gateway says that 40 percent is confirming. */
function conflicting(stage: Stage): string[] {
  const { gateway, payment } = stage;
  expectCallbacks(payment);
  const claimed = structuredClone(payment);
  const worth = missing(payment);
  const seen = pay(stage, worth.times('0.4').round(18, 3), 'never');
  const real = payment.transfers.at(-1);
  if (!real) throw conflict('no transfer was made');
  const rate = worth.div(worth.times('0.4').round(18, 3));
  const pretended = { ...real, confirmations: 1_000, ...scaled(real, rate) };
  gateway.send(payment, gateway.message(payment, 'paid', [...claimed.transfers, pretended]));
  gateway.keepPayment(payment);
  return [
    seen,
    `A callback says Paid with ${pretended.sent} ${pretended.currency}; asked, the gateway says ${payment.status}.`,
  ];
}

const scaled = (transfer: { sent: string; worth: string }, rate: Decimal): { sent: string; worth: string } => ({
  sent: plain(new Decimal(transfer.sent).times(rate)),
  worth: plain(new Decimal(transfer.worth).times(rate)),
});

function expectCallbacks(payment: Payment): void {
  if (payment.callbackUrl === '') throw conflict('the payment has no callback_url');
}
