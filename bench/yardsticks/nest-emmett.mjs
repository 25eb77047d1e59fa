// A yardstick: a Nest controller on Fastify that appends the events of a callback by emmett, to a stream of their own with
// the version that it has to have. It reads nothing, decides nothing and keeps no evidence, which is in its favour.
import 'reflect-metadata';
import { STREAM_DOES_NOT_EXIST } from '@event-driven-io/emmett';
import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import { Controller, HttpCode, Module, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { verifyCallback } from '../../dist/gateway/signature.js';
import { boundedPool } from './pool.mjs';

const keys = { merchant: [process.env.MERCHANT_KEY], payout: [process.env.PAYOUT_KEY] };
/** `[type, data]` of each event that the product wrote for such a callback. */
const templates = JSON.parse(process.env.EVENTS);

const pool = boundedPool(process.env.DATABASE_URL);
const store = getPostgreSQLEventStore(process.env.DATABASE_URL, { connectionOptions: { pool } });
await store.schema.migrate();

class Callbacks {
  async receive(request) {
    if (verifyCallback(request.rawBody, request.headers.hmac, keys) === null) return 'refused';
    const { track_id: trackId, order_id: orderId, txs } = request.body;
    const events = templates.map(([type, data]) => ({ type, data: { ...data, trackId, txHash: txs[0].tx_hash } }));
    await store.appendToStream(`payment-${orderId}`, events, { expectedStreamVersion: STREAM_DOES_NOT_EXIST });
    return 'ok';
  }
}
// Decorators by hand: this file runs as it is.
const method = Object.getOwnPropertyDescriptor(Callbacks.prototype, 'receive');
Req()(Callbacks.prototype, 'receive', 0);
for (const decorate of [Post('v1/callbacks/oxapay/default'), HttpCode(200)])
  decorate(Callbacks.prototype, 'receive', method);
Controller()(Callbacks);

class Root {}
Module({ controllers: [Callbacks] })(Root);

const app = await NestFactory.create(Root, new FastifyAdapter(), { logger: ['error'], rawBody: true });
await app.listen(Number(process.env.PORT), '127.0.0.1');
process.stdout.write('ready\n');
