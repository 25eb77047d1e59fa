// A yardstick: the same framework, server and signature check, and nothing behind them.
import 'reflect-metadata';
import { Controller, HttpCode, Module, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { verifyCallback } from '../../dist/gateway/signature.js';
import { createAdapter } from '../../dist/platform/http/server.module.js';

const keys = { merchant: [process.env.MERCHANT_KEY], payout: [process.env.PAYOUT_KEY] };

class SignatureOnly {
  receive(request) {
    return verifyCallback(request.body, request.headers.hmac, keys) ? 'ok' : 'refused';
  }
}
// Decorators by hand: this file runs as it is.
const method = Object.getOwnPropertyDescriptor(SignatureOnly.prototype, 'receive');
Req()(SignatureOnly.prototype, 'receive', 0);
for (const decorate of [Post('v1/callbacks/oxapay/default'), HttpCode(200)]) {
  decorate(SignatureOnly.prototype, 'receive', method);
}
Controller()(SignatureOnly);

class Root {}
Module({ controllers: [SignatureOnly] })(Root);

const app = await NestFactory.create(Root, createAdapter('/v1/callbacks/'), { logger: false, bodyParser: false });
await app.listen(Number(process.env.PORT), '127.0.0.1');
process.stdout.write('ready\n');
