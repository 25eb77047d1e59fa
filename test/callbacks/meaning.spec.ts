import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  apiKey,
  merchantKey,
  payoutKey,
  startTestService,
  until,
  type Answer,
  type TestService,
} from '../support/service.js';
import { startGatewayDouble, type GatewayDouble } from './gateway-double.js';
import {
  acknowledged,
  answerFor,
  expectSetAside,
  kept,
  openPayment,
  said,
  stored,
  story,
  tx,
  untouched,
  type OpenPayment,
} from './support.js';

let gateway: GatewayDouble;
let shop: TestService;

beforeAll(async () => {
  gateway = await startGatewayDouble();
  shop = await startTestService({ sandbox: false, gatewayPort: gateway.port });
});
afterAll(async () => {
  await shop.close();
  await gateway.close();
});

const open = (): Promise<OpenPayment> => openPayment(shop);
const storyOf = (id: string): Promise<string[]> => story(shop.database.pool, id);
const view = async (payment: OpenPayment): Promise<Answer['body']> =>
  (await shop.api('GET', `/v1/payments/${payment.id}`)).body;
const asked = (payment: OpenPayment, times = 1): Promise<boolean> =>
  until(() => Promise.resolve(gateway.asked.filter((trackId) => trackId === payment.trackId).length >= times));

/** Sends a callback and holds that it was taken, and is kept as these bytes once. */
async function tell(payment: OpenPayment, changes: Record<string, unknown> = {}): Promise<string> {
  const body = said(payment, changes);
  expect(await shop.callback(body)).toEqual(acknowledged);
  expect(await kept(shop.database.pool, body)).toEqual([{ status: 'applied', reason: null, receipts: 1 }]);
  return body;
}

/** The same, and that it adds these facts and no others. */
async function tells(payment: OpenPayment, changes: Record<string, unknown>, facts: string[]): Promise<string> {
  const before = await storyOf(payment.id);
  const body = await tell(payment, changes);
  expect(await storyOf(payment.id)).toEqual([...before, ...facts]);
  return body;
}

const paidInFull = ['GatewayReported', 'TransferDetected', 'AmountAssessed', 'PaymentPaid'];

/** Lets the gateway confirm what a callback claimed; resolves when that has been asked and believed. */
async function confirmed(payment: OpenPayment, changes: Record<string, unknown> = {}): Promise<Answer['body']> {
  gateway.knows(payment.trackId, answerFor(payment, changes));
  return until(async () => {
    const seen = await view(payment);
    return seen.fulfillable && seen;
  }, 8000);
}

const requests = async (payment: OpenPayment): Promise<number> => {
  const { rows } = await shop.database.pool.query(
    "select 1 from event where type = 'FulfillmentRequested' and (stream_id = $1 or data::text like '%' || $1 || '%')",
    [payment.id],
  );
  return rows.length;
};

describe('The first callback and its repeats', () => {
  it('W01: a valid one is kept and takes effect', async () => {
    const payment = await open();
    await tells(payment, {}, paidInFull);
    expect(await view(payment)).toMatchObject({
      status: 'paid',
      received: '10.50',
      delta: '0.00',
      fulfillable: false,
      labels: ['sandbox'],
    });
    await asked(payment);
  });

  it('W02: byte for byte the same, a second or a year later, is counted and changes nothing', async () => {
    const payment = await open();
    const body = await tell(payment);
    const facts = await storyOf(payment.id);
    for (let n = 2; n <= 4; n++) {
      expect(await shop.callback(body)).toEqual(acknowledged);
      expect(await kept(shop.database.pool, body)).toEqual([{ status: 'applied', reason: null, receipts: n }]);
    }
    await shop.database.pool.query(
      "update inbox set received_at = received_at - interval '1 year' where stream_id = $1",
      [payment.id],
    );
    expect(await shop.callback(body)).toEqual(acknowledged);
    // The same content in other bytes, as a gateway would write it that builds each try anew.
    const again = JSON.stringify(Object.fromEntries(Object.entries(JSON.parse(body) as object).reverse()), null, 2);
    expect(await shop.callback(again)).toEqual(acknowledged);
    expect(await kept(shop.database.pool, body)).toEqual([{ status: 'applied', reason: null, receipts: 6 }]);
    expect(await kept(shop.database.pool, again)).toEqual([]);
    expect(await storyOf(payment.id)).toEqual(facts);
  });

  it('W58: the same status with a further transaction is news', async () => {
    const payment = await open();
    const [first, second] = [tx({ sent_amount: 4, value: 4 }), tx({ sent_amount: 3, value: 3 })];
    await tells(payment, { status: 'Paying', txs: [first] }, ['GatewayReported', 'TransferDetected', 'AmountAssessed']);
    await tells(payment, { status: 'Paying', txs: [first, second] }, ['TransferDetected', 'AmountAssessed']);
    // One that names the newest alone adds to those before it.
    await tells(payment, { status: 'Paying', txs: [tx({ sent_amount: 1, value: 1 })] }, [
      'TransferDetected',
      'AmountAssessed',
    ]);
    expect(await view(payment)).toMatchObject({
      received: '8.00',
      progress: 'partially_paid',
      labels: ['multiple_transfers', 'sandbox'],
    });
  });
});

describe('How much was paid', () => {
  it('W36: `Paid` with too little money opens a review and ships nothing', async () => {
    const payment = await open();
    await tells(payment, { txs: [tx({ sent_amount: 1, received_amount: 0.99, value: 1 })] }, [
      'GatewayReported',
      'TransferDetected',
      'AmountAssessed',
      'ReviewOpened',
    ]);
    gateway.knows(payment.trackId, answerFor(payment, { txs: [{ ...tx(), amount: 1 }] }));
    expect(await view(payment)).toMatchObject({
      status: 'pending',
      progress: 'in_review',
      fulfillable: false,
      delta: '-9.50',
      review: { reasons: ['paid_short'], holdsFulfillment: true },
    });
  });

  it('W37: `Paid` for the right number in another currency, or for another number, opens a review', async () => {
    const cases: [Record<string, unknown>, string][] = [
      [{ currency: 'IRR' }, 'currency_mismatch'],
      [{ currency: 'TRX', txs: [tx({ currency: 'TRX' })] }, 'currency_mismatch'],
      [{ amount: 10.49 }, 'amount_mismatch'],
      [{ amount: '1050' }, 'amount_mismatch'],
    ];
    for (const [changes, reason] of cases) {
      const payment = await open();
      await tells(payment, changes, [
        'GatewayReported',
        'TransferDetected',
        'AmountAssessed',
        'ContradictionFound',
        'ReviewOpened',
      ]);
      const seen = await view(payment);
      expect(seen).toMatchObject({
        status: 'pending',
        progress: 'in_review',
        fulfillable: false,
        review: { reasons: [reason] },
      });
      expect(seen.labels).toContain('gateway_conflict');
    }
  });

  it('W38: too much is paid, noted, and shipped once', async () => {
    const payment = await open();
    const sum = { txs: [tx({ sent_amount: 12, value: 12 })] };
    await tell(payment, sum);
    expect(await view(payment)).toMatchObject({
      status: 'paid',
      received: '12.00',
      delta: '+1.50',
      labels: ['overpaid', 'sandbox'],
    });
    const done = await confirmed(payment, { txs: [{ ...sum.txs[0], amount: 12 }] });
    expect(done).toMatchObject({
      progress: 'settled',
      review: { reasons: ['overpaid', 'no_customer'], holdsFulfillment: false },
    });
    await until(async () => (await requests(payment)) > 0);
    await tells(payment, { ...sum, note: 'again', value: 10.51 }, []);
    expect(await requests(payment)).toBe(1);
  });

  it('W39: two transactions that reach the amount together: short first, then paid, shipped once', async () => {
    const payment = await open();
    const [first, second] = [tx({ sent_amount: 4, value: 4 }), tx({ sent_amount: 6.5, value: 6.5 })];
    await tell(payment, { status: 'Paying', txs: [first] });
    expect(await view(payment)).toMatchObject({
      status: 'pending',
      progress: 'partially_paid',
      received: '4.00',
      delta: '-6.50',
    });
    await tell(payment, { txs: [first, second] });
    expect(await view(payment)).toMatchObject({
      status: 'paid',
      received: '10.50',
      labels: ['multiple_transfers', 'sandbox'],
    });
    await confirmed(payment, {
      txs: [
        { ...first, amount: 4 },
        { ...second, amount: 6.5 },
      ],
    });
    await until(async () => (await requests(payment)) > 0);
    expect(await requests(payment)).toBe(1);
    expect((await storyOf(payment.id)).filter((fact) => fact === 'PaymentPaid')).toHaveLength(1);
  });
});

describe('Whom a callback is about', () => {
  it('W40: our track id with the order id of another payment, or with one that nobody has, is set aside and asked about', async () => {
    const [mine, other] = [await open(), await open()];
    await expectSetAside(shop, mine, said(mine, { order_id: other.id }), 'identity_mismatch');
    expect(await storyOf(other.id)).toEqual(untouched);
    await asked(mine);
    for (const order_id of ['ORD-12345', '00000000-0000-4000-8000-000000000000', mine.id.toUpperCase(), 12345]) {
      await expectSetAside(shop, mine, said(mine, { order_id }), 'identity_mismatch');
    }
    // Nor does a right order id make up for a track id that is not its own.
    await expectSetAside(shop, mine, said(mine, { track_id: '424242' }), 'identity_mismatch');
  });

  it('W41: an unknown track id is kept until its payment is known', async () => {
    const before = await stored(shop.database.pool);
    const stray = said({ id: '7f2c1d1e-0000-4000-8000-000000000001', trackId: '555000111' });
    expect(await shop.callback(stray)).toEqual(acknowledged);
    expect(await kept(shop.database.pool, stray)).toEqual([
      { status: 'unmatched', reason: 'unknown_track_id', receipts: 1 },
    ]);
    expect(await shop.callback(stray)).toEqual(acknowledged);
    expect(await kept(shop.database.pool, stray)).toEqual([
      { status: 'unmatched', reason: 'unknown_track_id', receipts: 2 },
    ]);
    expect(await stored(shop.database.pool)).toEqual({ ...before, messages: before.messages + 1 });
  });

  it("W41: a callback that overtakes the answer to the invoice's creation takes effect once that is recorded", async () => {
    let early = '';
    gateway.nextTrackId('"600000001"');
    gateway.beforeAnswer(async (trackId, id) => {
      early = said({ id, trackId });
      expect(await shop.callback(early)).toEqual(acknowledged);
      expect(await kept(shop.database.pool, early)).toEqual([
        { status: 'unmatched', reason: 'unknown_track_id', receipts: 1 },
      ]);
    });
    const payment = await open();
    expect(await storyOf(payment.id)).toEqual([...untouched, ...paidInFull]);
    expect((await kept(shop.database.pool, early)).map((row) => row.status).sort()).toEqual(['applied', 'matched']);
    // Its repeat finds it done.
    expect(await shop.callback(early)).toEqual(acknowledged);
    expect(await storyOf(payment.id)).toEqual([...untouched, ...paidInFull]);
  });
});

describe('The order in which callbacks come', () => {
  it('W42: `Paid` before `Paying` is paid', async () => {
    const payment = await open();
    await tells(payment, {}, paidInFull);
  });

  it('W43: `Paying` and `Waiting` after `Paid` are stale: kept, and without effect', async () => {
    const payment = await open();
    const transfer = tx();
    await tell(payment, { txs: [transfer] });
    await tells(payment, { status: 'Paying', txs: [{ ...transfer, status: 'confirming', confirmations: 1 }] }, []);
    await tells(payment, { status: 'Waiting', txs: [] }, []);
    await tells(payment, { status: 'New', txs: [] }, []);
    expect(await view(payment)).toMatchObject({
      status: 'paid',
      gatewayStatus: 'paid',
      transfers: [{ status: 'confirmed', confirmations: 20 }],
    });
  });

  it('W44: `Expired` after `Paid` takes nothing back', async () => {
    const payment = await open();
    await tell(payment);
    await tells(payment, { status: 'Expired', txs: [] }, []);
    await tells(payment, { status: 'Failed', txs: [] }, []);
    await tells(payment, { status: 'Underpaid', txs: [] }, []);
    expect(await view(payment)).toMatchObject({ status: 'paid', gatewayStatus: 'paid', review: null });
  });

  it('W45: `Paid` after `Expired` is late money, and the policy gives it to a person', async () => {
    const payment = await open();
    await tells(payment, { status: 'Expired', txs: [] }, ['GatewayReported', 'PaymentExpired']);
    expect(await view(payment)).toMatchObject({ status: 'expired', progress: 'closed', review: null });
    await tells(payment, {}, ['GatewayReported', 'TransferDetected', 'AmountAssessed', 'ReviewOpened']);
    expect(await view(payment)).toMatchObject({
      status: 'expired',
      progress: 'in_review',
      fulfillable: false,
      received: '10.50',
      review: { reasons: ['expired_with_money', 'late_payment'] },
    });
  });

  it('W45: where the policy accepts late money, it is paid', async () => {
    const policy = { latePayment: { window: 'PT72H', then: 'accept' } };
    const answer = await shop.api('POST', '/v1/payments', {
      orderId: `late-${String(process.hrtime.bigint())}`,
      amount: '10.50',
      currency: 'USD',
      policy,
    });
    const payment: OpenPayment = { id: answer.body.id, trackId: answer.body.trackId, amount: '10.50', currency: 'USD' };
    await tell(payment, { status: 'Expired', txs: [] });
    await tell(payment);
    expect(await storyOf(payment.id)).toEqual([...untouched, 'GatewayReported', 'PaymentExpired', ...paidInFull]);
    expect(await view(payment)).toMatchObject({ status: 'paid' });
  });

  it('W46: `Refunding` and `Refunded` after `Paid` are facts beside it; nothing more is shipped', async () => {
    const payment = await open();
    const transfer = tx();
    await tell(payment, { txs: [transfer] });
    await tells(payment, { status: 'Refunding', txs: [transfer] }, ['GatewayReported']);
    await tells(payment, { status: 'Refunded', txs: [transfer] }, ['GatewayReported']);
    const seen = await view(payment);
    expect(seen).toMatchObject({ status: 'paid', gatewayStatus: 'refunded', fulfillable: false });
    expect(seen.labels).toContain('refunded');
  });

  it('W47: `Refunded` for a payment that was never paid opens a review', async () => {
    const payment = await open();
    await tells(payment, { status: 'Refunded', txs: [] }, ['GatewayReported', 'ReviewOpened']);
    expect(await view(payment)).toMatchObject({
      status: 'pending',
      progress: 'in_review',
      fulfillable: false,
      review: { reasons: ['refunded_unpaid'] },
    });
  });

  it("W48: `Manual_accept` is paid, says so, and waits for the gateway's own word", async () => {
    const payment = await open();
    const transfer = tx({ sent_amount: 5, value: 5 });
    await tell(payment, { status: 'Manual_accept', txs: [transfer] });
    expect(await view(payment)).toMatchObject({
      status: 'paid',
      received: '5.00',
      fulfillable: false,
      labels: ['underpaid', 'manually_accepted', 'sandbox'],
    });
    await asked(payment);
    expect(await confirmed(payment, { status: 'manual_accept', txs: [{ ...transfer, amount: 5 }] })).toMatchObject({
      status: 'paid',
      gatewayStatus: 'manual_accept',
    });
  });

  it('W49: a date in the far past or future, or none at all, decides nothing', async () => {
    for (const date of [0, 1, 4102444800, 253402300799, 9e15, -1, '1738493900', '2026-01-01', null, {}]) {
      const payment = await open();
      await tells(payment, { date }, paidInFull);
    }
  });
});

describe('After all of it', () => {
  it('the service still serves and has logged no key', async () => {
    expect((await shop.api('GET', '/health/ready')).status).toBe(200);
    const lines = shop.logged.join('');
    expect(lines.includes('unexpected error')).toBe(false);
    for (const secret of [merchantKey, payoutKey, apiKey]) expect(lines.includes(secret)).toBe(false);
  });
});
