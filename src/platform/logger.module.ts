import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import { pino, type Level, type Logger as Pino } from 'pino';
import type { Config } from './config.js';

/** Names of fields that must never reach a log, wherever they stand. */
const secretFields = [
  'authorization',
  'hmac',
  'apiKey',
  'secret',
  'password',
  'merchant_api_key',
  'payout_api_key',
  'databaseUrl',
];

/** The process's log: one JSON line each on standard output. */
export const createLog = (level: Config['logLevel']): Pino =>
  pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: secretFields.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]), censor: '[secret]' },
    formatters: { level: (label) => ({ level: label }) },
  });

/** Nest's own messages and those of our classes, on the same log. A message may be an object: it becomes the line's fields. */
export class NestLog implements LoggerService {
  constructor(private readonly pino: Pino) {}

  log(message: unknown, ...rest: unknown[]): void {
    // What Nest says of its own start-up (modules, routes) is of interest to whoever changes the wiring only.
    this.write(typeof message === 'string' ? 'debug' : 'info', message, rest);
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  private write(level: Level, message: unknown, rest: unknown[]): void {
    const texts = rest.filter((part) => typeof part === 'string');
    const context = texts.at(-1);
    const stack = texts.length > 1 ? texts[0] : undefined;
    const fields =
      message instanceof Error
        ? { err: message }
        : typeof message === 'object'
          ? message
          : { msg: typeof message === 'string' ? message : inspect(message) };
    this.pino[level]({ context, ...(stack === undefined ? {} : { stack }), ...fields });
  }
}
