import { createHash } from 'node:crypto';
import type { Instant } from '../kernel/clock.js';
import type { RecordedEvent } from '../kernel/event.js';
import type { PinnedPolicy } from '../payments/policy.js';

/*
 * A payment link: terms that were agreed once, and that each visit of its address opens a payment on.
 */

/** What a link was made with. It never changes. Amounts are decimal strings in `currency`. */
export interface LinkTerms {
  id: string;
  applicationId: string;
  /** What its address ends with. Whoever knows it may pay, and nobody can guess one. */
  slug: string;
  /** Null where the payer chooses. */
  amount: string | null;
  /** Bounds of what the payer may choose; null for none. */
  minAmount: string | null;
  maxAmount: string | null;
  currency: string;
  description: string;
  /** Whether the first payment that is completed ends it. */
  singleUse: boolean;
  /** As it was then. Payments get the newest version of this name; one that came inline stays as it is. */
  policy: PinnedPolicy;
  lifetimeMinutes: number;
  returnUrl: string | null;
  customerId: string | null;
  metadata: Record<string, string>;
}

export type LinkEvent =
  | { type: 'PaymentLinkCreated'; data: LinkTerms & { at: Instant } }
  /** Nobody can pay by it any more; payments that were opened by it go on. */
  | { type: 'PaymentLinkDeleted'; data: { at: Instant } };

export interface Link {
  terms: LinkTerms;
  createdAt: Instant;
  deletedAt: Instant | null;
}

/** The schema version that this code writes; a later one refuses the stream rather than guess at it. */
export const linkSchemaVersion = 1;

const types: ReadonlySet<string> = new Set<LinkEvent['type']>(['PaymentLinkCreated', 'PaymentLinkDeleted']);
const firstType = 'PaymentLinkCreated' satisfies LinkEvent['type'];

function readLinkEvent(event: RecordedEvent): LinkEvent {
  if (!types.has(event.type) || event.schemaVersion > linkSchemaVersion)
    throw new Error(
      `event ${event.type} v${String(event.schemaVersion)} in stream ${event.streamId} is not known to this version of Finality`,
    );
  return { type: event.type, data: event.data } as unknown as LinkEvent;
}

function evolve(link: Link | null, event: LinkEvent): Link | null {
  switch (event.type) {
    case 'PaymentLinkCreated': {
      const { at, ...terms } = event.data;
      return { terms, createdAt: at, deletedAt: null };
    }
    case 'PaymentLinkDeleted':
      return link && { ...link, deletedAt: event.data.at };
  }
}

/** Folds a stream, oldest event first; null where it holds something else than a link. */
export const foldLink = (events: readonly RecordedEvent[]): Link | null =>
  events[0]?.type === firstType
    ? events.reduce<Link | null>((link, event) => evolve(link, readLinkEvent(event)), null)
    : null;

/** Ends a link; one that is deleted stays so. */
export const deleteLink = ({ deletedAt }: Link, now: Instant): LinkEvent[] =>
  deletedAt === null ? [{ type: 'PaymentLinkDeleted', data: { at: now } }] : [];

/** Without letters that look alike or that a chat program would take for the end of an address. */
const slugAlphabet = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
/** 99 random bits. */
const slugLength = 17;
const slugPattern = new RegExp(`^[${slugAlphabet}]{${String(slugLength)}}$`);

/** A new slug; `pick(n)` gives a random number below n, unguessable. */
export const newSlug = (pick: (below: number) => number): string =>
  Array.from({ length: slugLength }, () => slugAlphabet.charAt(pick(slugAlphabet.length))).join('');

export const isSlug = (text: string): boolean => slugPattern.test(text);

/** The scope of the keys by which a link is found by its slug. */
export const slugScope = 'link';

/** The scope of the keys by which an application's links are listed. */
export const linkScope = (applicationId: string): string => `links:${applicationId}`;

/** What the order ids of all payments of a link begin with. */
export const orderPrefix = (linkId: string): string => `link-${linkId}`;

/**
 * The order of the payments that one visitor opens. A single-use link has one order for all, so that the rule "one open or
 * paid payment for an order" holds for it. `visitor` is secret, and cannot be told from the order id.
 */
export function orderOf({ id, singleUse }: LinkTerms, visitor: string): string {
  if (singleUse) return orderPrefix(id);
  const digest = createHash('sha256').update(`${id}/${visitor}`).digest('base64url');
  return `${orderPrefix(id)}-${digest.slice(0, 22)}`;
}
