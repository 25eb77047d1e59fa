import { inspect } from 'node:util';
import type { LoggerService } from '@nestjs/common';
import { pino, type Level, type Logger as Pino } from 'pino';
import type { Config } from './config.js';
import { oneLine, safeFields } from './log-fields.js';
import { Secrets } from './secrets.js';
import { currentCorrelation } from './spans.js';

/** Where lines go: standard output, unless a test reads them. */
interface Destination {
  write(line: string): void;
}

/**
 * The process's log: one JSON line each, with the correlation id of what is going on. No line holds one of the secrets,
 * whatever text they came in with.
 */
export const createLog = (
  level: Config['logLevel'],
  secrets: Secrets = new Secrets(),
  destination: Destination = pino.destination(1),
): Pino =>
  pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      mixin: () => {
        const correlationId = currentCorrelation();
        return correlationId === null ? {} : { correlationId };
      },
      // Errors have become plain fields by then.
      serializers: { err: (fields: unknown) => fields },
      formatters: { level: (label) => ({ level: label }), log: safeFields },
    },
    {
      write: (line) => {
        destination.write(oneLine(secrets.hide(line)));
      },
    },
  );

/** The secrets of a configuration. */
export function secretsOf(config: Config, databaseUrl: string | null = config.databaseUrl): (string | null)[] {
  const { merchantKeys, payoutKeys, apiKey, opsPassword, opsViewPassword, checkpointKeys } = config;
  const { databaseDirectUrl, databaseStandbyUrl, natsUrl } = config;
  const passwords = [databaseUrl, databaseDirectUrl, databaseStandbyUrl, natsUrl].flatMap(passwordsIn);
  return [...merchantKeys, ...payoutKeys, ...checkpointKeys, apiKey, opsPassword, opsViewPassword, ...passwords];
}

/** As it stands in an address, and as it is. */
const passwordsIn = (url: string | null): string[] => {
  const password = url === null ? '' : new URL(url).password;
  return [password, decodeURIComponent(password)];
};

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
