import type { FastifyRequest } from 'fastify';
import { JsonError, type LosslessJson, type LosslessObject, parseJson } from '../kernel/json.js';

/** A named part of the route's path; empty where the route has none. */
export function pathPart(request: FastifyRequest, name: string): string {
  const value: unknown = Reflect.get(Object(request.params), name);
  return typeof value === 'string' ? value : '';
}

/** The query of a request; the last of several values of one name counts. */
export const queryOf = (request: FastifyRequest): LosslessObject =>
  Object.fromEntries(new URL(request.url, 'http://sandbox').searchParams);

/** The body as text: the server takes every body so, whatever type it claims. */
export const textOf = (request: FastifyRequest): string => (typeof request.body === 'string' ? request.body : '');

/** The body as a JSON object, its numbers unread; an absent body is an empty one. Null where it is anything else. */
export function objectOf(request: FastifyRequest): LosslessObject | null {
  const text = textOf(request);
  if (text.trim() === '') return {};
  try {
    const parsed = parseJson(text);
    return isObject(parsed) ? parsed : null;
  } catch (error) {
    if (error instanceof JsonError) return null;
    throw error;
  }
}

// Objects of the parser have no prototype; its numbers and arrays do.
const isObject = (value: LosslessJson): value is LosslessObject =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === null;
