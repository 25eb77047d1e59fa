// A yardstick: the handler that most people write. Nest on Express, the signature checked, one transaction by TypeORM: a row
// in a table of what was seen (a second delivery breaks its key and is answered with ok), the payment found, changed, saved.
import 'reflect-metadata';
import { Controller, HttpCode, Module, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource, QueryFailedError } from 'typeorm';
import { verifyCallback } from '../../dist/gateway/signature.js';
import { Payment, WebhookEvent, payments, webhookEvents } from './entities.mjs';

const keys = { merchant: [process.env.MERCHANT_KEY], payout: [process.env.PAYOUT_KEY] };
const uniqueViolation = '23505';

class Callbacks {
  constructor(database) {
    this.database = database;
  }

  async receive(request) {
    if (verifyCallback(request.rawBody, request.headers.hmac, keys) === null) return 'refused';
    try {
      await this.database.transaction((manager) => this.apply(manager, request.body));
    } catch (error) {
      if (!(error instanceof QueryFailedError) || error.driverError.code !== uniqueViolation) throw error;
    }
    return 'ok';
  }

  async apply(manager, body) {
    const [tx] = body.txs;
    await manager.insert(WebhookEvent, { id: `${body.track_id}:${body.status}:${tx.tx_hash}`, payload: body });
    const payment = await manager.findOneByOrFail(Payment, { trackId: body.track_id });
    payment.status = 'paid';
    payment.receivedAmount = String(tx.value);
    payment.txHash = tx.tx_hash;
    payment.paidAt = new Date();
    await manager.save(Payment, payment);
  }
}
// Decorators by hand: this file runs as it is.
const method = Object.getOwnPropertyDescriptor(Callbacks.prototype, 'receive');
Req()(Callbacks.prototype, 'receive', 0);
for (const decorate of [Post('v1/callbacks/oxapay/default'), HttpCode(200)])
  decorate(Callbacks.prototype, 'receive', method);
Controller()(Callbacks);
Reflect.defineMetadata('design:paramtypes', [DataSource], Callbacks);

class Root {}
const database = TypeOrmModule.forRoot({
  type: 'postgres',
  url: process.env.DATABASE_URL,
  entities: [payments, webhookEvents],
  synchronize: true,
  poolSize: 16,
});
Module({ imports: [database], controllers: [Callbacks] })(Root);

const app = await NestFactory.create(Root, new ExpressAdapter(), { logger: ['error'], rawBody: true });
await app.listen(Number(process.env.PORT), '127.0.0.1');
process.stdout.write('ready\n');
