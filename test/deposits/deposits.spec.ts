import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { depositsSeen } from '../../src/deposits/deposit-address.js';
import { DepositAddresses } from '../../src/deposits/deposit-addresses.pg.js';
import { Ids } from '../../src/kernel/ids.js';
import { PaymentGateway } from '../../src/payments/payment-gateway.js';
import { startTestService, until, type TestService } from '../support/service.js';

describe('A process that dies after it has stored a deposit', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());

  it('leaves a deposit that becomes a payment all the same, and is credited once', async () => {
    const opened = await shop.api('POST', '/v1/deposit-addresses', { customerId: 'survivor', network: 'TRON' });
    const { id, trackId } = opened.body;
    await shop.control('/_sandbox/faults', { seed: 1, callbacks: { drop: 1 } }, 'PUT');
    await shop.control(`/_sandbox/payments/${trackId}/transfers`, {
      amount: '25',
      currency: 'USDT',
      confirmations: 30,
    });
    const report = await shop.service.app.get(PaymentGateway).findPayment(trackId);
    if (!report) throw new Error('the gateway does not know the address');
    // What the intake commits first; nothing after it is done.
    const cause = { actor: 'gateway', correlationId: randomUUID(), causationId: randomUUID() };
    const ids = shop.service.app.get(Ids);
    await shop.service.app
      .get(DepositAddresses)
      .decide(id, cause, (address) => depositsSeen(address, report, () => ids.next(), shop.clock.now()));
    const [payment] = await until(async () => {
      const { body } = await shop.api('GET', '/v1/payments?customerId=survivor');
      return body.items.length === 1 && body.items;
    });
    expect(payment).toMatchObject({ amount: '25', currency: 'USDT', deposit: { addressId: id } });
    await shop.control('/_sandbox/clock/advance', { seconds: 900 });
    const balances = await until(async () => {
      const { body } = await shop.api('GET', '/v1/customers/survivor/balance');
      return body.balances.length > 0 && body.balances;
    }, 15_000);
    expect(balances).toEqual([{ currency: 'USDT', balance: '25' }]);
    expect((await shop.api('GET', '/v1/payments?customerId=survivor')).body.items).toHaveLength(1);
  });
});
