import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { hmac, merchantKey, payoutKey, World } from './support.js';

let world: World;
beforeEach(async () => {
  world = await new World().start();
});
afterEach(() => world.stop());

const minute = 60;
const gapsOf = (attempts: { at: string }[]) =>
  attempts
    .slice(1)
    .map(({ at }, index) => Math.round((Date.parse(at) - Date.parse(attempts[index]?.at ?? '')) / 60_000));

describe('A callback', () => {
  it('is JSON, signed over its bytes with the merchant key', async () => {
    const trackId = await world.invoice({
      order_id: 'ORD-1',
      email: 'payer@example.com',
      description: 'Käse & <Brot>',
    });
    await world.play('exact', trackId);
    expect(world.receiver.calls).toHaveLength(2);
    for (const { body, headers, path } of world.receiver.calls) {
      expect(path).toBe('/callback');
      expect(headers['content-type']).toBe('application/json');
      expect(headers['hmac']).toBe(hmac(body, merchantKey));
    }
  });

  it('has every field that the gateway documents', async () => {
    const trackId = await world.invoice({
      amount: 25,
      order_id: 'ORD-1',
      email: 'payer@example.com',
      to_currency: 'USDT',
    });
    await world.play('exact', trackId);
    const information = await world.information(trackId);
    expect(world.receiver.bodies[1]).toEqual({
      track_id: trackId,
      status: 'Paid',
      type: 'invoice',
      module_name: 'Sandbox',
      amount: 25,
      value: 25,
      sent_value: 25,
      currency: 'USD',
      order_id: 'ORD-1',
      email: 'payer@example.com',
      note: '',
      fee_paid_by_payer: 0,
      under_paid_coverage: 0,
      description: '',
      date: information.date,
      txs: [
        {
          status: 'confirmed',
          tx_hash: information.txs[0].tx_hash,
          sent_amount: 25,
          received_amount: 24.9,
          value: 25,
          sent_value: 25,
          currency: 'USDT',
          network: 'Tron Network',
          sender_address: expect.stringMatching(/^T/),
          address: information.txs[0].address,
          rate: 1,
          confirmations: 19,
          auto_convert_amount: 24.9,
          auto_convert_currency: 'USDT',
          date: information.txs[0].date,
        },
      ],
    });
    expect(information.txs[0]).toEqual({
      tx_hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      amount: 25,
      currency: 'USDT',
      network: 'Tron Network',
      address: expect.stringMatching(/^T/),
      status: 'confirmed',
      confirmations: 19,
      auto_convert: { processed: true, amount: 24.9, currency: 'USDT' },
      auto_withdrawal: { processed: false },
      date: expect.any(Number),
    });
  });

  it('is sent five times, at 0, 1, 3, 30 and 180 minutes after the try before, while nobody says ok', async () => {
    world.receiver.answer = () => ({ status: 500, body: 'no' });
    const trackId = await world.invoice();
    await world.control(`/payments/${trackId}/transfers`, { percent: 100 });
    for (const [seconds, calls] of [
      [1 * minute - 2, 1],
      [4, 2],
      [3 * minute - 4, 2],
      [4, 3],
      [30 * minute - 4, 3],
      [4, 4],
      [180 * minute - 4, 4],
      [4, 5],
      [30 * 86_400, 5],
    ] as const) {
      await world.advance(seconds);
      expect(world.receiver.calls).toHaveLength(calls);
    }
    expect(new Set(world.receiver.calls.map(({ body }) => body.toString('hex'))).size).toBe(1);
  });

  it('keeps its own times when the clock jumps over all of them at once', async () => {
    world.receiver.answer = () => ({ status: 503, body: 'x'.repeat(3000) });
    const trackId = await world.invoice({ lifetime: 2880 });
    await world.control(`/payments/${trackId}/transfers`, { percent: 100 });
    await world.advance(86_400);
    const [{ attempts, nextAttemptAt, acknowledged }] = (await world.view(trackId)).callbacks;
    expect(gapsOf(attempts)).toEqual([1, 3, 30, 180]);
    expect([nextAttemptAt, acknowledged]).toEqual([null, false]);
    expect(attempts[0]).toMatchObject({ httpStatus: 503, answer: 'x'.repeat(1024), acknowledged: false });
  });

  it('stops at the first answer 200 with the body ok', async () => {
    world.receiver.answer = (call) => (call < 3 ? { status: 200, body: 'later' } : { status: 200, body: 'ok' });
    const trackId = await world.invoice();
    await world.control(`/payments/${trackId}/transfers`, { percent: 100 });
    await world.advance(86_400);
    const [{ attempts, acknowledged }] = (await world.view(trackId)).callbacks;
    expect(attempts.map((attempt: { answer: string }) => attempt.answer)).toEqual(['later', 'later', 'ok']);
    expect(acknowledged).toBe(true);
  });

  it.each([
    [200, 'OK'],
    [200, ''],
    [200, 'ok\n'],
    [200, '"ok"'],
    [201, 'ok'],
    [202, 'ok'],
    [302, 'ok'],
    [400, 'ok'],
  ])('is not acknowledged by %i %j', async (status, body) => {
    world.receiver.answer = () => ({ status, body });
    const trackId = await world.invoice();
    await world.control(`/payments/${trackId}/transfers`, { percent: 100 });
    await world.advance(minute + 1);
    expect(world.receiver.calls).toHaveLength(2);
  });

  it('to an address where nobody listens is recorded, and tried again', async () => {
    const trackId = await world.invoice({ callback_url: 'http://127.0.0.1:1/nobody' });
    await world.control(`/payments/${trackId}/transfers`, { percent: 100 });
    await world.advance(minute + 1);
    const [{ attempts }] = (await world.view(trackId)).callbacks;
    expect(attempts).toHaveLength(2);
    expect(attempts[0]).toMatchObject({ httpStatus: null, answer: 'the connection failed' });
  });

  it('is not sent where the invoice named no address', async () => {
    const trackId = await world.invoice({ callback_url: '' });
    await world.play('exact', trackId);
    expect((await world.view(trackId)).callbacks).toEqual([]);
  });

  it('of an earlier status is retried after the later one has arrived', async () => {
    world.receiver.answer = (call) => (call === 1 ? { status: 500, body: '' } : { status: 200, body: 'ok' });
    const trackId = await world.invoice();
    await world.play('exact', trackId);
    await world.advance(minute + 1);
    expect(world.receiver.statuses).toEqual(['Paying', 'Paid', 'Paying']);
  });
});

describe('A callback with several merchant keys', () => {
  it('is signed with the key that created the payment', async () => {
    const second = 'SANDBX-MRCHNT-000000-000002';
    const other = await new World(undefined, { merchantKeys: [merchantKey, second] }).start();
    try {
      const { json } = await other.ask(
        'POST',
        '/v1/payment/invoice',
        { amount: 1, callback_url: other.callbackUrl },
        { merchant_api_key: second },
      );
      await other.play('exact', json.data.track_id);
      const [call] = other.receiver.calls;
      expect(call?.headers['hmac']).toBe(hmac(call?.body ?? Buffer.alloc(0), second));
    } finally {
      await other.stop();
    }
  });
});

describe('A payout', () => {
  const order = {
    address: 'TAddress',
    currency: 'USDT',
    network: 'TRC20',
    amount: 10.5,
    description: 'refund 7',
    memo: 'm',
  };

  it('is processed, goes on chain and is confirmed as time passes, telling with the payout key', async () => {
    const { json } = await world.payout('POST', '/payout', { ...order, callback_url: world.callbackUrl });
    expect(json.data).toEqual({ track_id: expect.stringMatching(/^[0-9]{9}$/), status: 'processing' });
    const info = async () => (await world.payout('GET', `/payout/${json.data.track_id}`)).json.data;
    expect(await info()).toEqual({
      track_id: json.data.track_id,
      address: 'TAddress',
      currency: 'USDT',
      network: 'Tron Network',
      amount: 10.5,
      fee: 1,
      status: 'processing',
      tx_hash: '',
      description: 'refund 7',
      internal: false,
      memo: 'm',
      date: expect.any(Number),
    });
    await world.advance(60);
    expect(await info()).toMatchObject({ status: 'confirming', tx_hash: expect.stringMatching(/^[0-9a-f]{64}$/) });
    await world.advance(120);
    expect((await info()).status).toBe('confirmed');
    expect(world.receiver.bodies).toMatchObject([
      { status: 'Confirming', type: 'payout', amount: 10.5, value: 10.5, track_id: json.data.track_id },
      { status: 'Confirmed', type: 'payout', description: 'refund 7' },
    ]);
    for (const { body, headers } of world.receiver.calls) expect(headers['hmac']).toBe(hmac(body, payoutKey));
  });

  it('can fail by hand, without a transaction', async () => {
    const { json } = await world.payout('POST', '/payout', { ...order, callback_url: world.callbackUrl });
    await world.control(`/payouts/${json.data.track_id}/status`, { status: 'failed' });
    await world.advance(86_400);
    expect(world.receiver.bodies).toMatchObject([{ status: 'Failed', tx_hash: '' }]);
    expect((await world.payout('GET', `/payout/${json.data.track_id}`)).json.data.status).toBe('failed');
  });

  it.each([
    [{ currency: 'USDT', amount: 1, network: 'TRON' }, 'address'],
    [{ address: 'a', currency: 'NOPE', amount: 1 }, 'currency'],
    [{ address: 'a', currency: 'USDT', amount: 1 }, 'network'],
    [{ address: 'a', currency: 'BTC' }, 'amount'],
  ])('that reads %j is refused', async (body, key) => {
    expect((await world.payout('POST', '/payout', body)).json).toMatchObject({ status: 400, error: { key } });
  });

  it('is found again in the history by its time and description', async () => {
    for (const description of ['one', 'two', 'three']) await world.payout('POST', '/payout', { ...order, description });
    const { json } = await world.payout('GET', '/payout?sort_type=asc&size=2&page=1&status=processing&type=external');
    expect(json.data.list.map((row: { description: string }) => row.description)).toEqual(['one', 'two']);
    expect(json.data.meta).toEqual({ page: 1, last_page: 2, total: 3 });
    expect((await world.payout('GET', '/payout?type=internal')).json.data.list).toEqual([]);
    expect((await world.payout('GET', '/payout/1')).status).toBe(404);
  });
});
