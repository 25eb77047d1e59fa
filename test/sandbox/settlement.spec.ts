import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { World } from './support.js';

let world: World;
beforeAll(async () => {
  world = await new World().start();
});
afterAll(() => world.stop());
afterEach(() => void world.receiver.calls.splice(0));

const pay = (trackId: string, body: object) => world.control(`/payments/${trackId}/transfers`, body);
const confirm = (trackId: string, count = 19) => world.control(`/payments/${trackId}/confirmations`, { count });
const statusOf = async (trackId: string) => (await world.information(trackId)).status;

describe('An invoice', () => {
  it('is paying once money is seen, and paid once it has the confirmations of its network', async () => {
    const trackId = await world.invoice();
    await pay(trackId, { percent: 100 });
    expect(await statusOf(trackId)).toBe('paying');
    await confirm(trackId, 18);
    expect(await statusOf(trackId)).toBe('paying');
    await confirm(trackId, 19);
    expect(await statusOf(trackId)).toBe('paid');
    expect(world.receiver.statuses).toEqual(['Paying', 'Paid']);
  });

  it('is paid at once by a transfer that is confirmed already', async () => {
    const trackId = await world.invoice();
    await pay(trackId, { percent: 100, confirmations: 19 });
    expect(world.receiver.statuses).toEqual(['Paid']);
  });

  it('expires at its deadline without money, and tells nobody', async () => {
    const trackId = await world.invoice({ lifetime: 15 });
    await world.advance(15 * 60 - 5);
    expect(await statusOf(trackId)).toBe('new');
    await world.advance(6);
    expect(await statusOf(trackId)).toBe('expired');
    expect(world.receiver.calls).toEqual([]);
  });

  it('stays paying while short of money, and is underpaid at the deadline', async () => {
    const trackId = await world.invoice({ lifetime: 15 });
    await pay(trackId, { percent: 40, confirmations: 19 });
    expect(await statusOf(trackId)).toBe('paying');
    await world.advance(16 * 60);
    expect(await statusOf(trackId)).toBe('underpaid');
    expect(world.receiver.statuses).toEqual(['Paying']);
  });

  it('is paid when it is topped up in time', async () => {
    const trackId = await world.invoice();
    await pay(trackId, { percent: 40 });
    await pay(trackId, { percent: 60 });
    await confirm(trackId);
    expect(await statusOf(trackId)).toBe('paid');
    expect(world.receiver.statuses).toEqual(['Paying', 'Paying', 'Paid']);
  });

  it('outlives its deadline while the full amount is being confirmed', async () => {
    const trackId = await world.invoice({ lifetime: 15 });
    await pay(trackId, { percent: 100 });
    await world.advance(16 * 60);
    expect(await statusOf(trackId)).toBe('paying');
    await confirm(trackId);
    expect(await statusOf(trackId)).toBe('paid');
  });

  it('stays expired when money comes late, and shows the money', async () => {
    const trackId = await world.invoice({ lifetime: 15 });
    await world.advance(16 * 60);
    await pay(trackId, { percent: 100, confirmations: 19 });
    expect(await world.information(trackId)).toMatchObject({
      status: 'expired',
      txs: [{ amount: 49.9, status: 'confirmed' }],
    });
    expect(world.receiver.calls).toEqual([]);
    await pay(trackId, { percent: 1, callback: true });
    expect(world.receiver.bodies[0]).toMatchObject({
      status: 'Expired',
      txs: [{ sent_amount: 49.9 }, { sent_amount: 0.499 }],
    });
  });

  it('is paid with a little missing where the coverage allows it', async () => {
    const trackId = await world.invoice({ under_paid_coverage: 5 });
    await pay(trackId, { percent: '94.99', confirmations: 19 });
    expect(await statusOf(trackId)).toBe('paying');
    await pay(trackId, { percent: '0.01', confirmations: 19 });
    expect(await statusOf(trackId)).toBe('paid');
  });

  it('asks for the fee on top where the payer bears it', async () => {
    const trackId = await world.invoice({ amount: 100, fee_paid_by_payer: 1 });
    await pay(trackId, { amount: '100', confirmations: 19 });
    expect(await statusOf(trackId)).toBe('paying');
    expect(await world.view(trackId)).toMatchObject({ amountDue: '100.4', missing: '0.4' });
    await pay(trackId, { amount: '0.4', confirmations: 19 });
    expect(await statusOf(trackId)).toBe('paid');
  });

  it('takes the rest in another coin only with mixed payment', async () => {
    const plainOne = await world.invoice();
    await pay(plainOne, { percent: 50, confirmations: 19 });
    await pay(plainOne, { percent: 50, currency: 'BTC', confirmations: 19 });
    expect(await world.information(plainOne)).toMatchObject({ status: 'paying', txs: [{}, { currency: 'BTC' }] });
    const mixedOne = await world.invoice({ mixed_payment: true });
    await pay(mixedOne, { percent: 50, confirmations: 19 });
    await pay(mixedOne, { percent: 50, currency: 'BTC', confirmations: 19 });
    expect(await statusOf(mixedOne)).toBe('paid');
  });

  it('moves to any status by hand, with a callback unless told otherwise', async () => {
    const trackId = await world.invoice();
    for (const status of ['waiting', 'expired', 'manual_accept', 'refunding', 'refunded', 'underpaid', 'failed']) {
      await world.control(`/payments/${trackId}/status`, { status });
      expect(await statusOf(trackId)).toBe(status);
    }
    expect(world.receiver.statuses).toEqual([
      'Waiting',
      'Expired',
      'Manual_Accept',
      'Refunding',
      'Refunded',
      'Underpaid',
      'Failed',
    ]);
    await world.control(`/payments/${trackId}/status`, { status: 'paid', callback: false });
    expect(await statusOf(trackId)).toBe('paid');
    expect(world.receiver.calls).toHaveLength(7);
  });
});

describe('A transfer', () => {
  it.each([
    ['USDT', undefined, '49.9', 'Tron Network'],
    ['USDT', 'BEP20', '49.9', 'BSC Network'],
    ['BTC', undefined, '0.000499', 'Bitcoin Network'],
    ['ETH', 'ETH', '0.012475', 'Ethereum Network'],
    ['TRX', undefined, '199.6', 'Tron Network'],
    ['BNB', undefined, '0.07796875', 'BSC Network'],
    ['XMR', undefined, '0.1996', 'Monero Network'],
    ['TON', undefined, '15.59375', 'Ton Network'],
    ['DOGE', undefined, '249.5', 'Dogecoin Network'],
  ])('of 49.90 dollars in %s over %s is exact to the last digit', async (currency, network, sent, name) => {
    const trackId = await world.invoice();
    await pay(trackId, { amount: '49.90', currency, ...(network && { network }) });
    const { text } = await world.merchant('GET', `/payment/${trackId}`);
    expect(text).toContain(`"amount":${sent},"currency":"${currency}","network":"${name}"`);
  });

  it('in the currency of the payment needs no rate', async () => {
    const trackId = await world.invoice({ amount: 12, currency: 'TRX' });
    await pay(trackId, { amount: '12', currency: 'BTC' });
    expect(world.receiver.bodies[0]).toMatchObject({
      amount: 12,
      currency: 'TRX',
      value: 3,
      txs: [{ currency: 'BTC', sent_amount: 0.00003 }],
    });
    expect(world.receiver.calls[0]?.body.toString()).toContain('"sent_amount":3e-5,');
  });

  it.each([
    [{}, 'amount'],
    [{ amount: '1', percent: 1 }, 'amount'],
    [{ amount: '0' }, 'amount'],
    [{ percent: 'x' }, 'percent'],
    [{ percent: 100, currency: 'EUR' }, 'currency'],
    [{ percent: 100, currency: 'BTC', network: 'TRON' }, 'network'],
    [{ percent: 100, confirmations: -1 }, 'confirmations'],
    [{ percent: 100, confirmation: 1 }, 'confirmation'],
  ])('that reads %j is refused', async (body, field) => {
    const { status, json } = await pay(await world.invoice(), body);
    expect([status, json.error.field]).toEqual([400, field]);
  });

  it('to an unknown payment is refused', async () => {
    expect((await pay('1', { percent: 1 })).status).toBe(404);
    expect((await confirm(await world.invoice())).status).toBe(409);
  });
});

describe('A sandbox invoice of the gateway', () => {
  it('shows the marks that captured test callbacks show', async () => {
    const trackId = await world.invoice({ sandbox: true });
    await pay(trackId, { percent: 100, currency: 'BTC', confirmations: 10 });
    expect(world.receiver.bodies[0]).toMatchObject({
      status: 'Paid',
      note: null,
      txs: [{ tx_hash: 'sandbox', address: 'sandbox', sender_address: null, rate: 1, confirmations: 10 }],
    });
  });
});

describe('The named scenarios', () => {
  const outcomes: [string, object, string, string[], number][] = [
    ['exact', {}, 'paid', ['Paying', 'Paid'], 1],
    ['underpaid', {}, 'paying', ['Paying'], 1],
    ['topped_up', {}, 'paid', ['Paying', 'Paying', 'Paid'], 2],
    ['overpaid', {}, 'paid', ['Paying', 'Paid'], 1],
    ['late', {}, 'expired', [], 1],
    ['mixed', { mixed_payment: true }, 'paid', ['Paying', 'Paying', 'Paid'], 2],
    ['mixed', { mixed_payment: false }, 'paying', ['Paying', 'Paying'], 2],
    ['duplicate_callbacks', {}, 'paid', ['Paying', 'Paying', 'Paying', 'Paid', 'Paid', 'Paid'], 1],
    ['out_of_order', {}, 'paid', ['Paid', 'Paying'], 1],
    ['no_callbacks', {}, 'paid', [], 1],
    ['conflicting', {}, 'paying', ['Paid'], 1],
  ];
  it.each(outcomes)('%s with %j ends %s', async (name, fields, status, callbacks, transfers) => {
    const trackId = await world.invoice(fields);
    const { status: code, json } = await world.play(name, trackId);
    expect(code).toBe(200);
    expect(json).toMatchObject({ scenario: name, trackId, payment: { status } });
    expect(json.did.length).toBeGreaterThan(1);
    const info = await world.information(trackId);
    expect([info.status, info.txs.length]).toEqual([status, transfers]);
    expect(world.receiver.statuses).toEqual(callbacks);
  });

  it('overpay by a tenth', async () => {
    const trackId = await world.invoice();
    await world.play('overpaid', trackId);
    expect((await world.information(trackId)).txs[0].amount).toBe(54.89);
  });

  it('repeat callbacks byte for byte', async () => {
    await world.play('duplicate_callbacks', await world.invoice());
    const bytes = world.receiver.calls.map((call) => call.body.toString('hex'));
    expect(new Set(bytes).size).toBe(2);
    expect(bytes[0]).toBe(bytes[2]);
  });

  it('contradict: the callback claims everything, the gateway knows of two fifths', async () => {
    const trackId = await world.invoice({ amount: 100 });
    await world.play('conflicting', trackId);
    expect(world.receiver.bodies[0]).toMatchObject({
      status: 'Paid',
      sent_value: 100,
      txs: [{ sent_amount: 100, status: 'confirmed' }],
    });
    expect(await world.information(trackId)).toMatchObject({
      status: 'paying',
      txs: [{ amount: 40, status: 'confirming' }],
    });
  });

  it('move the clock of the service too when they pay late', async () => {
    world.advanced = [];
    const before = world.clock.offset;
    await world.play('late', await world.invoice({ lifetime: 15 }));
    expect(world.advanced).toHaveLength(1);
    expect(world.clock.offset - before).toBeGreaterThanOrEqual(15 * 60_000);
  });

  it('are refused where they do not exist or cannot be played', async () => {
    const trackId = await world.invoice();
    expect((await world.play('nothing', trackId)).status).toBe(404);
    expect((await world.play('exact', '1')).status).toBe(404);
    await world.play('exact', trackId);
    expect((await world.play('exact', trackId)).status).toBe(409);
    expect((await world.control('/scenarios/exact', {})).status).toBe(400);
    expect((await world.control('/scenarios/exact', '{')).status).toBe(400);
  });
});
