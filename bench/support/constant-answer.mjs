// A yardstick: the same framework and server, and an answer that is always the same.
import 'reflect-metadata';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createAdapter } from '../../dist/platform/http/server.module.js';

const answer = JSON.parse(process.env.BODY);

class Constant {
  read() {
    return answer;
  }
}
// Decorators by hand: this file runs as it is.
Get('*')(Constant.prototype, 'read', Object.getOwnPropertyDescriptor(Constant.prototype, 'read'));
Controller()(Constant);

class Root {}
Module({ controllers: [Constant] })(Root);

const app = await NestFactory.create(Root, createAdapter('/v1/callbacks/'), { logger: false, bodyParser: false });
await app.listen(Number(process.env.PORT), '127.0.0.1');
process.stdout.write('ready\n');
