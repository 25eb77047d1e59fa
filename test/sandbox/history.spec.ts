import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { World } from './support.js';

let world: World;
const ids: string[] = [];
beforeAll(async () => {
  world = await new World().start();
  for (let nth = 1; nth <= 23; nth++) {
    ids.push(
      await world.invoice({ amount: nth, currency: nth % 2 ? 'USD' : 'EUR', order_id: `ORD-${nth}`, callback_url: '' }),
    );
    if (nth === 10) await world.advance(100);
  }
  await world.play('exact', ids[2] ?? '');
  await world.control(`/payments/${ids[3]}/transfers`, { percent: 10, currency: 'BTC' });
});
afterAll(() => world.stop());

const list = async (query: string) => (await world.merchant('GET', `/payment?${query}`)).json;
const orders = async (query: string) =>
  (await list(query)).data.list.map((row: { order_id: string }) => Number(row.order_id.replace('ORD-', '')));

describe('The payment history', () => {
  it('gives the newest ten unless told otherwise', async () => {
    const { data } = await list('');
    expect(data.list).toHaveLength(10);
    expect(data.list[0].order_id).toBe('ORD-23');
    expect(data.meta).toEqual({ page: 1, last_page: 3, total: 23 });
  });

  it('pages through everything once', async () => {
    const pages = [await orders('page=1'), await orders('page=2'), await orders('page=3')];
    expect(pages.flat()).toEqual(Array.from({ length: 23 }, (_, at) => 23 - at));
    expect(await orders('page=4')).toEqual([]);
    expect(await orders('size=200&sort_type=asc')).toHaveLength(23);
  });

  it('has the same row as the question about one payment', async () => {
    const { data } = await list(`track_id=${ids[2]}`);
    expect(data.list).toEqual([await world.information(ids[2] ?? '')]);
  });

  it('filters by status, type, coin, network, currency, address, amount and time', async () => {
    expect(await orders('status=paid')).toEqual([3]);
    expect(await orders('status=PAYING')).toEqual([4]);
    expect(await orders('type=white_label')).toEqual([]);
    expect(await orders('pay_currency=btc')).toEqual([4]);
    expect(await orders('network=trc20')).toEqual([3]);
    expect(await orders(`address=${(await world.information(ids[3] ?? '')).txs[0].address}`)).toEqual([4]);
    expect(await orders('currency=EUR&size=200')).toHaveLength(11);
    expect(await orders('from_amount=5&to_amount=7')).toEqual([7, 6, 5]);
    const { date } = await world.information(ids[9] ?? '');
    expect(await orders(`to_date=${date}&size=200`)).toHaveLength(10);
    expect(await orders(`from_date=${date + 90}&size=200`)).toHaveLength(13);
  });

  it('sorts by amount and by time of payment', async () => {
    expect((await orders('sort_by=amount&sort_type=asc')).slice(0, 3)).toEqual([1, 2, 3]);
    expect((await orders('sort_by=pay_date'))[0]).toBe(3);
  });

  it('knows no order id filter, as the gateway has none', async () => {
    expect((await list('order_id=ORD-1')).data.meta.total).toBe(23);
  });

  it.each([
    'size=0',
    'size=201',
    'page=0',
    'status=nothing',
    'type=x',
    'sort_by=x',
    'from_date=yesterday',
    'from_amount=x',
  ])('refuses %s', async (query) => {
    const body = await list(query);
    expect(body).toMatchObject({ status: 400, error: { key: query.split('=')[0] } });
  });

  it('leaves out static addresses until something was deposited', async () => {
    const { json } = await world.merchant('POST', '/payment/static-address', { network: 'TRON' });
    expect((await list('type=static_address')).data.list).toEqual([]);
    await world.control(`/payments/${json.data.track_id}/transfers`, { amount: '1' });
    expect((await list('type=static_address')).data.list).toMatchObject([
      { type: 'static_address', amount: 0, status: 'paying' },
    ]);
  });
});

describe('The statistics', () => {
  it('sum what was confirmed per coin, as a decimal string', async () => {
    const { json } = await world.merchant('GET', '/payment/stats');
    expect(json.data).toEqual({
      list: [{ pay_currency: 'USDT', total: 1, received_amount: '2.988' }],
      meta: { page: 1, last_page: 1, total: 1 },
    });
    expect((await world.merchant('GET', '/payment/stats?pay_currency=BTC')).json.data.list).toEqual([]);
  });
});
