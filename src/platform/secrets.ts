/**
 * What must not be read by anybody, and its removal from text: the values that this process knows, and what looks like a
 * secret or a person's address whoever it belongs to.
 */
export class Secrets {
  private readonly values = new Set<string>();
  private known = patternOf([]);

  /** From now on these are hidden too: as they are, in JSON, in JSON that stands in JSON, and in URLs. Very short ones would hide ordinary words. */
  learn(values: readonly (string | null)[]): void {
    for (const value of values) {
      if (value === null || value.length < leastLength) continue;
      for (const form of [value, quoted(value), quoted(quoted(value)), encodeURIComponent(value)])
        this.values.add(form);
    }
    this.known = patternOf([...this.values]);
  }

  /** The text without them. A line of JSON stays one. */
  hide(text: string): string {
    return text.replace(this.known, cover).replace(shaped, (found) => `${kept.exec(found)?.[0] ?? ''}[secret]`);
  }
}

/** What stands in its place. Digits may be a number of a JSON text, or a part of one, which stays a number. */
const cover = (found: string): string => (/^\d+$/.test(found) ? '9'.repeat(found.length) : '[secret]');

/** As it stands in a JSON string. */
const quoted = (text: string): string => JSON.stringify(text).slice(1, -1);

const leastLength = 6;

/** What tells a reader what was there. */
const kept = /^(?:whsec_|fin_|bearer |[a-z]*:\/\/|\/pay\/|[?&][a-z_]*=)/i;

const secretShapes = [
  // Secrets of webhook endpoints, our own API keys, and whatever is sent as a bearer's key.
  'whsec_[\\w+/=-]{8,}',
  '\\bfin_[\\w-]{16,}',
  '\\bbearer [\\w.~+/=-]{8,}',
  // A user with a password in a URL, the token of a status page, a key in a query.
  '\\b[a-z]{2,12}://[^\\s/@"\\\\]+@',
  '/pay/[\\w-]{16,}',
  '[?&](?:api_?key|key|token|access_token|password|secret|authorization)=[^&\\s"\\\\]+',
  // E-mail addresses.
  '[\\w.+-]{1,64}@[\\w-]{1,63}(?:\\.[\\w-]{1,63})+',
];

/** Addresses on chains. */
const addressShapes = [
  // Ethereum and its like.
  '\\b0x[0-9a-fA-F]{40}\\b',
  // Tron; Bitcoin, Litecoin and Dogecoin in base58.
  '\\bT[1-9A-HJ-NP-Za-km-z]{33}\\b',
  '\\b[13LMD][1-9A-HJ-NP-Za-km-z]{25,33}\\b',
  // bech32, which tells its chain; TON.
  '\\b(?:bc|ltc|tb|addr)1[02-9a-z]{20,}\\b',
  '\\b[EU]Q[\\w-]{46}(?![\\w-])',
];

const shaped = new RegExp(secretShapes.join('|'), 'gi');

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/-]/g, '\\$&');

/** Longer ones first, so that one that begins with another goes whole. */
const patternOf = (values: readonly string[]): RegExp =>
  new RegExp([...values.toSorted((a, b) => b.length - a.length).map(escaped), ...addressShapes].join('|'), 'g');
