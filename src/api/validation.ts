import {
  Injectable,
  ValidationPipe,
  type CanActivate,
  type ExecutionContext,
  type PipeTransform,
  type ValidationError,
} from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Refusal, type FieldError } from '../kernel/refusal.js';

const escapePointer = (part: string): string => part.replaceAll('~', '~0').replaceAll('/', '~1');

function fieldErrors(errors: readonly ValidationError[], parent: string, separator: string): FieldError[] {
  return errors.flatMap((error) => {
    const pointer = `${parent}${separator}${escapePointer(error.property)}`;
    const own = Object.entries(error.constraints ?? {}).map(([name, message]) => ({
      pointer,
      detail: wording(name, message, error.property),
    }));
    return [...own.slice(0, 1), ...fieldErrors(error.children ?? [], pointer, separator)];
  });
}

/** class-validator begins its sentences with the name of the property, which the pointer says already. */
const wording = (constraint: string, message: string, property: string): string =>
  constraint === 'whitelistValidation'
    ? 'is not a known field'
    : message.startsWith(`${property} `)
      ? message.slice(property.length + 1)
      : message;

const strict = {
  whitelist: true,
  forbidNonWhitelisted: true,
  forbidUnknownValues: true,
  transform: true,
  stopAtFirstError: true,
} as const;

const invalid = (errors: FieldError[]): Refusal =>
  new Refusal('invalid_request', 'Some fields are not acceptable; see errors.', errors);

const fields = new ValidationPipe({ ...strict, exceptionFactory: (errors) => invalid(fieldErrors(errors, '', '/')) });

/** Bodies: objects whose unknown fields are refused, every fault named by its pointer. */
export const bodyPipe: PipeTransform = {
  transform: (body: unknown, metadata): unknown => {
    const inherited = inheritedNames(expectObject(body), '');
    if (inherited.length > 0) throw invalid(inherited);
    return fields.transform(body, metadata);
  },
};

function expectObject(body: unknown): object {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body;
  throw invalid([{ pointer: '', detail: 'the body must be a JSON object' }]);
}

/** Names such as `toString`: the validators look fields up by name, and these they find in every object. */
function inheritedNames(value: unknown, parent: string): FieldError[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    const pointer = `${parent}/${escapePointer(name)}`;
    return name in Object.prototype ? [{ pointer, detail: 'is not a known field' }] : inheritedNames(member, pointer);
  });
}

/** Keeps bodies with fields away from routes that take none. */
@Injectable()
export class NoFields implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { body } = context.switchToHttp().getRequest<FastifyRequest>();
    if (body === undefined) return true;
    const names = Object.keys(expectObject(body));
    if (names.length > 0)
      throw invalid(names.map((name) => ({ pointer: `/${escapePointer(name)}`, detail: 'is not a known field' })));
    return true;
  }
}

const unreadable = (errors: FieldError[]): Refusal =>
  new Refusal('malformed_request', 'Some query parameters are not acceptable; see errors.', errors);

const parameters = new ValidationPipe({
  ...strict,
  exceptionFactory: (errors) => unreadable(fieldErrors(errors, '', '?')),
});

/** Query parameters: the same, as a request that cannot be read. */
export const queryPipe: PipeTransform = {
  transform: (query: object, metadata): unknown => {
    const inherited = Object.keys(query).filter((name) => name in Object.prototype);
    if (inherited.length > 0)
      throw unreadable(inherited.map((name) => ({ pointer: `?${name}`, detail: 'is not a known field' })));
    return parameters.transform(query, metadata);
  },
};
