import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { Refusal, type FieldError } from '../kernel/refusal.js';

const escapePointer = (part: string): string => part.replaceAll('~', '~0').replaceAll('/', '~1');

function fieldErrors(errors: readonly ValidationError[], parent: string, separator: string): FieldError[] {
  return errors.flatMap((error) => {
    const pointer = `${parent}${separator}${escapePointer(error.property)}`;
    const own = Object.entries(error.constraints ?? {}).map(([name, message]) => ({ pointer, detail: wording(name, message, error.property) }));
    return [...own.slice(0, 1), ...fieldErrors(error.children ?? [], pointer, separator)];
  });
}

/** class-validator begins its sentences with the name of the property, which the pointer says already. */
const wording = (constraint: string, message: string, property: string): string =>
  constraint === 'whitelistValidation' ? 'is not a known field' : message.startsWith(`${property} `) ? message.slice(property.length + 1) : message;

const strict = { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: true, transform: true, stopAtFirstError: true } as const;

/** Bodies: unknown fields are refused, every fault is named by its pointer. */
export const bodyPipe = new ValidationPipe({
  ...strict,
  exceptionFactory: (errors) => new Refusal('invalid_request', 'Some fields are not acceptable; see errors.', fieldErrors(errors, '', '/')),
});

/** Query parameters: the same, as a request that cannot be read. */
export const queryPipe = new ValidationPipe({
  ...strict,
  exceptionFactory: (errors) => new Refusal('malformed_request', 'Some query parameters are not acceptable; see errors.', fieldErrors(errors, '', '?')),
});
