import { createHmac, timingSafeEqual } from 'node:crypto';
import { typedRules, type Typed } from './what-if-form.js';

/** What somebody saw the what-if of. */
export interface Looked {
  session: string;
  application: string;
  policy: string;
  /** The newest version at that time; 0 where there was none. */
  basedOn: number;
  typed: Typed;
}

/** What the page of a what-if gives along, so that its rules can be saved: these rules, by this session, over this version. */
export const proofOf = (key: Buffer, { session, application, policy, basedOn, typed }: Looked): string =>
  createHmac('sha256', key)
    .update(`what-if ${JSON.stringify([session, application, policy, basedOn, typedRules(typed)])}`)
    .digest('base64url');

/** Whether this is the proof of exactly that. */
export function isProofOf(key: Buffer, looked: Looked, given: string): boolean {
  const [expected, said] = [Buffer.from(proofOf(key, looked)), Buffer.from(given)];
  return expected.length === said.length && timingSafeEqual(expected, said);
}
