import { readFileSync } from 'node:fs';

/** The bytes of one file of `test/samples/oxapay`. */
export const sample = (name: string): Buffer =>
  readFileSync(new URL(`../samples/oxapay/${name}.json`, import.meta.url));

/** A callback in the shape of the documentation's, with some members changed; `undefined` leaves one out. */
export const callbackText = (changes: Record<string, unknown> = {}): string =>
  JSON.stringify({ ...(JSON.parse(sample('published-webhook-invoice-paid').toString()) as object), ...changes });

/** The same with the text of one JSON value put in as it stands, for numbers that JavaScript cannot hold. */
export const callbackWith = (member: string, literal: string): Buffer =>
  Buffer.from(callbackText({ [member]: '@@' }).replace('"@@"', literal));

/** The same for a member of its only transfer. */
export function callbackWithTransfer(member: string, literal: string): Buffer {
  const body = JSON.parse(callbackText()) as { txs: Record<string, unknown>[] };
  return Buffer.from(callbackText({ txs: [{ ...body.txs[0], [member]: '@@' }] }).replace('"@@"', literal));
}
