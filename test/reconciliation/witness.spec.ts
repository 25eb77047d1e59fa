import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { addSeconds, msOf } from '../../src/kernel/clock.js';
import { Looks } from '../../src/payments/looks.pg.js';
import { said, tx } from '../callbacks/support.js';
import { startTestService, until, type TestService } from '../support/service.js';
import { begin, GatewayHistory, transferOf, type HistoryRow } from './gateway-history.js';

jest.setTimeout(60_000);

let gateway: GatewayHistory;
let shop: TestService;

beforeAll(async () => {
  gateway = await GatewayHistory.open();
  shop = await startTestService({ sandbox: false, gatewayPort: gateway.port });
});
afterAll(async () => {
  await shop.close();
  await gateway.close();
});
beforeEach(() => {
  gateway.outage = null;
});

interface Known {
  id: string;
  row: HistoryRow;
}

/** A payment of 10 USD that is open at the gateway. */
async function opened(of: TestService = shop): Promise<Known> {
  const [id = ''] = await begin(of, gateway, 1);
  const row = gateway.rows.find(({ orderId }) => orderId === id);
  if (!row) throw new Error('the gateway does not know it');
  await until(async () => (await lookOf(id, of)) !== null, 10_000);
  return { id, row };
}

const lookOf = async (id: string, of: TestService = shop): Promise<{ due_at: string; urgent: boolean } | null> =>
  (
    await of.database.pool.query<{ due_at: string; urgent: boolean }>(
      'select due_at, urgent from look where stream_id = $1',
      [id],
    )
  ).rows[0] ?? null;
const view = async ({ id }: Known, of: TestService = shop) => (await of.api('GET', `/v1/payments/${id}`)).body;
const explained = async ({ id }: Known, of: TestService = shop) =>
  (await of.api('GET', `/v1/payments/${id}/explanation`)).body;
const story = async ({ id }: Known, of: TestService = shop): Promise<string[]> =>
  (
    await of.database.pool.query<{ type: string }>('select type from event where stream_id = $1 order by version', [id])
  ).rows.map(({ type }) => type);

/** The gateway has the money. */
const pay = ({ row }: Known, amount = 10, status = 'paid', hash = `hash-${row.trackId}`): void => {
  row.status = status;
  row.txs = [...row.txs, transferOf(amount, msOf(shop.clock.now()), hash)];
};
/** A callback says that it is paid in full. */
const callback = async ({ id, row }: Known, of: TestService = shop): Promise<void> => {
  const transfer = tx({
    sent_amount: 10,
    received_amount: 9.9,
    value: 10,
    sent_value: 10,
    tx_hash: `hash-${row.trackId}`,
  });
  const body = said({ id, trackId: row.trackId }, { amount: 10, value: 10, sent_value: 10, txs: [transfer] });
  expect((await of.callback(body)).text).toBe('ok');
};
/** Moves the clock in steps until `seen` gives something; what is due at a step has a moment of real time to be done. */
const forward = async <T>(stepSeconds: number, seen: () => Promise<T>, of: TestService = shop): Promise<T> => {
  for (;;) {
    const found = await until(seen, 300).catch(() => null);
    if (found) return found;
    of.clock.advance(stepSeconds);
  }
};

describe('A payment of which no callback tells', () => {
  it('G01: is right five minutes after its deadline at the latest, whatever became of it', async () => {
    const [full, none, short, late] = [await opened(), await opened(), await opened(), await opened()];
    const began = msOf(shop.clock.now());
    pay(full);
    pay(short, 4, 'paying');
    await forward(20, async () => (await view(full)).fulfillable);
    expect(msOf(shop.clock.now()) - began).toBeLessThan(65 * 60_000);
    shop.clock.advance(3600);
    none.row.status = 'expired';
    short.row.status = 'underpaid';
    late.row.status = 'expired';
    const closedAt = msOf(shop.clock.now());
    await forward(20, async () => (await view(none)).status === 'expired' && (await view(short)).status === 'expired');
    expect(msOf(shop.clock.now()) - closedAt).toBeLessThan(5 * 60_000);
    expect((await view(short)).labels).toContain('underpaid');
  });

  it('G01: is right through a whole day of silence, whenever it was asked for', async () => {
    const minutesToPaid: number[] = [];
    for (let hour = 0; hour < 24; hour += 6) {
      const payment = await opened();
      const began = msOf(shop.clock.now());
      pay(payment);
      await forward(20, async () => (await view(payment)).fulfillable);
      minutesToPaid.push((msOf(shop.clock.now()) - began) / 60_000);
      shop.clock.advance(6 * 3600);
    }
    expect(Math.max(...minutesToPaid)).toBeLessThan(5);
  });

  it('G21: is heard of for 72 hours after its deadline', async () => {
    const late = await opened();
    late.row.status = 'expired';
    shop.clock.advance(3700);
    await forward(20, async () => (await view(late)).status === 'expired');
    shop.clock.advance(64 * 3600);
    pay(late, 10, 'expired');
    await forward(3600, async () => (await view(late)).labels.includes('late'));
    expect(await view(late)).toMatchObject({ status: 'expired', review: { reasons: ['late_payment'] } });
    expect(await view(late)).toMatchObject({ received: '10.00' });
  });

  it('G14: that the gateway calls expired although money is there goes to a person', async () => {
    const odd = await opened();
    pay(odd, 10, 'paying');
    await forward(20, async () => (await view(odd)).progress === 'confirming');
    odd.row.status = 'expired';
    shop.clock.advance(3700);
    await forward(20, async () => (await view(odd)).review);
    expect(await view(odd)).toMatchObject({ review: { reasons: ['expired_with_money'] }, fulfillable: false });
  });
});

describe('A callback that says paid', () => {
  it('G11: waits for a gateway that lags behind it, and says so; it is complete when the gateway says so itself', async () => {
    const payment = await opened();
    await callback(payment);
    await until(async () => (await explained(payment)).sentence.includes('did not yet when it was asked'), 10_000);
    expect(await explained(payment)).toMatchObject({ complete: false, blockedBy: 'not_corroborated' });
    pay(payment);
    await forward(5, async () => (await view(payment)).fulfillable);
    expect(await story(payment)).toContain('PaymentCorroborated');
  });

  it('G11: goes to a person where the gateway has not confirmed it for ten minutes', async () => {
    const payment = await opened();
    await callback(payment);
    await until(async () => (await story(payment)).includes('CorroborationDelayed'), 10_000);
    shop.clock.advance(601);
    await forward(20, async () => (await view(payment)).review);
    expect(await view(payment)).toMatchObject({
      status: 'paid',
      fulfillable: false,
      review: { reasons: ['gateway_conflict'] },
    });
  });

  it('G12: stays paid where the gateway says something else later', async () => {
    const payment = await opened();
    pay(payment);
    await callback(payment);
    await until(async () => (await view(payment)).fulfillable, 10_000);
    payment.row.status = 'waiting';
    payment.row.txs = [];
    expect((await shop.api('POST', `/v1/payments/${payment.id}/reconcile`)).status).toBe(200);
    expect(await view(payment)).toMatchObject({ status: 'paid' });
    expect((await story(payment)).filter((type) => type === 'PaymentPaid')).toHaveLength(1);
  });

  it('G13: goes to a person where the gateway speaks of another amount when it is asked', async () => {
    const payment = await opened();
    pay(payment, 7);
    await callback(payment);
    await until(async () => (await story(payment)).includes('CorroborationDelayed'), 10_000);
    shop.clock.advance(601);
    const held = await forward(20, async () => (await view(payment)).review);
    expect(held).toMatchObject({ holdsFulfillment: true });
    expect(await view(payment)).toMatchObject({ fulfillable: false });
  });

  it('G15: and the answer of the gateway at the same moment are one fact', async () => {
    const payment = await opened();
    pay(payment);
    await Promise.all([
      callback(payment),
      shop.api('POST', `/v1/payments/${payment.id}/reconcile`),
      callback(payment),
      shop.api('POST', `/v1/payments/${payment.id}/reconcile`),
    ]);
    await until(async () => (await view(payment)).fulfillable, 10_000);
    const facts = await story(payment);
    for (const once of ['PaymentPaid', 'TransferDetected', 'PaymentCorroborated'])
      expect(facts.filter((type) => type === once)).toHaveLength(1);
  });

  it('is looked into once more where a later one takes it back', async () => {
    const payment = await opened();
    pay(payment);
    await callback(payment);
    await until(async () => (await view(payment)).fulfillable, 10_000);
    const asked = gateway.asked.length;
    await shop.callback(
      said({ id: payment.id, trackId: payment.row.trackId }, { status: 'Expired', amount: 10, txs: [] }),
    );
    await until(() => Promise.resolve(gateway.asked.length > asked), 10_000);
    expect(await view(payment)).toMatchObject({ status: 'paid', fulfillable: true });
  });
});

describe("A callback that says paid while the gateway's API gives no answer", () => {
  const outage = { status: 500, body: 'oops' };

  it('waits and says since when, and is complete when the gateway is back', async () => {
    const payment = await opened();
    pay(payment);
    gateway.outage = outage;
    await callback(payment);
    await forward(1, async () => (await explained(payment)).sentence.includes('it has not answered since'));
    shop.clock.advance(3600);
    expect(await explained(payment)).toMatchObject({
      complete: false,
      blockedBy: 'not_corroborated',
      waitingOn: 'gateway',
    });
    gateway.outage = null;
    await forward(20, async () => (await view(payment)).fulfillable);
  });

  it('goes ahead after the time that is set, says so, and stops where the gateway then denies it', async () => {
    const bold = await startTestService({
      sandbox: false,
      gatewayPort: gateway.port,
      env: { GO_AHEAD_AFTER_SILENCE_MINUTES: '5' },
    });
    try {
      const payment = await opened(bold);
      gateway.outage = outage;
      await callback(payment, bold);
      await forward(1, async () => (await story(payment, bold)).includes('CorroborationDelayed'), bold);
      expect((await explained(payment, bold)).sentence).toContain('its callback alone will do');
      expect((await view(payment, bold)).fulfillable).toBe(false);
      bold.clock.advance(301);
      await forward(20, async () => (await view(payment, bold)).fulfillable, bold);
      expect((await explained(payment, bold)).sentence).toContain(
        'its callback alone will do, as this installation is set',
      );
      const stream = async (): Promise<string[]> =>
        (
          await bold.database.pool.query<{ type: string }>(
            `select type from event where data->>'paymentId' = $1 or type like 'Fulfillment%' order by position`,
            [payment.id],
          )
        ).rows.map(({ type }) => type);
      await until(async () => (await stream()).includes('FulfillmentRequested'), 10_000);
      gateway.outage = null;
      await forward(60, async () => (await view(payment, bold)).review, bold);
      expect(await view(payment, bold)).toMatchObject({
        fulfillable: false,
        review: { reasons: ['gateway_conflict'] },
      });
      await until(async () => (await stream()).includes('FulfillmentStopped'), 10_000);
    } finally {
      await bold.close();
    }
  });
});

describe('Looks that several processes share', () => {
  it('G19: are each taken by one of them', async () => {
    const other = await startTestService({
      sandbox: false,
      gatewayPort: gateway.port,
      database: shop.database,
      clock: shop.clock,
    });
    try {
      const payments = await Promise.all(Array.from({ length: 30 }, () => opened()));
      const before = gateway.asked.length;
      shop.clock.advance(61);
      const tracks = new Set(payments.map(({ row }) => `/v1/payment/${row.trackId}`));
      const asked = (): string[] => gateway.asked.slice(before).filter((path) => tracks.has(path));
      await until(() => Promise.resolve(new Set(asked()).size === tracks.size), 30_000);
      expect(asked()).toHaveLength(tracks.size);
    } finally {
      await other.close();
    }
  });

  it('G20: are taken up by another within a minute of the crash of the one that had them', async () => {
    const payment = await opened();
    shop.clock.advance(40);
    // What a process does that dies before it has asked.
    const now = addSeconds(shop.clock.now(), 25);
    const claimed = await new Looks(shop.database.pool).claim(now, addSeconds(now, 45), 1000);
    expect(claimed.map(({ id }) => id)).toContain(payment.id);
    pay(payment);
    expect(msOf((await lookOf(payment.id))?.due_at ?? '') - msOf(now)).toBeLessThanOrEqual(60_000);
    shop.clock.advance(72);
    await until(async () => (await view(payment)).status === 'paid', 10_000);
  });
});
