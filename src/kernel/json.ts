/**
 * The one JSON parser of the service (callbacks, REST bodies, the gateway's answers): strict RFC 8259 and lossless.
 *
 * Beyond `JSON.parse` it keeps every digit of a number, and refuses what parsers disagree about or what could not be
 * stored: duplicate keys, `__proto__`, U+0000 and lone surrogates in strings, nesting deeper than a bound.
 */
export type JsonValue = null | boolean | string | number | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/** A number as it was written. `3.079e-5` stays `3.079e-5`; nothing has been rounded yet. */
export class JsonNumber {
  constructor(readonly text: string) {}
}

/** What `parseJson` gives: JSON with its numbers unread. Objects have no prototype. */
export type LosslessJson = null | boolean | string | JsonNumber | LosslessJson[] | LosslessObject;
export interface LosslessObject {
  [key: string]: LosslessJson;
}

export type JsonFault = 'syntax' | 'duplicate_key' | 'forbidden_key' | 'forbidden_character' | 'too_deep';

export class JsonError extends Error {
  constructor(
    readonly fault: JsonFault,
    message: string,
  ) {
    super(message);
    this.name = 'JsonError';
  }
}

const numberToken = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
// A run of characters that need no care: everything but the quote, the backslash, controls and surrogates.
const plainRun = /[^"\\\u0000-\u001f\ud800-\udfff]*/y;
const whitespace = /[ \t\n\r]*/y;
const hex4 = /^[0-9a-fA-F]{4}$/;
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype']);

/** Parses the whole of `text`. Throws `JsonError` and nothing else. `maxDepth` counts open brackets. */
export function parseJson(text: string, maxDepth = 16): LosslessJson {
  const parser = new Parser(text, maxDepth);
  return parser.document();
}

class Parser {
  private at = 0;

  constructor(
    private readonly text: string,
    private readonly maxDepth: number,
  ) {}

  document(): LosslessJson {
    const value = this.value(0);
    this.skip();
    if (this.at < this.text.length) throw this.syntax();
    return value;
  }

  private value(depth: number): LosslessJson {
    this.skip();
    switch (this.text[this.at]) {
      case '{':
        return this.object(depth + 1);
      case '[':
        return this.array(depth + 1);
      case '"':
        return this.string();
      case 't':
        return this.word('true', true);
      case 'f':
        return this.word('false', false);
      case 'n':
        return this.word('null', null);
      default:
        return this.number();
    }
  }

  private object(depth: number): LosslessObject {
    this.enter(depth);
    const result = Object.create(null) as LosslessObject;
    this.skip();
    if (this.take('}')) return result;
    do {
      this.skip();
      if (this.text[this.at] !== '"') throw this.syntax();
      const key = this.string();
      if (forbiddenKeys.has(key)) throw new JsonError('forbidden_key', `the key "${key}" is not allowed`);
      if (key in result)
        throw new JsonError('duplicate_key', `the key "${key.slice(0, 64)}" appears twice in one object`);
      this.skip();
      if (!this.take(':')) throw this.syntax();
      result[key] = this.value(depth);
      this.skip();
    } while (this.take(','));
    if (!this.take('}')) throw this.syntax();
    return result;
  }

  private array(depth: number): LosslessJson[] {
    this.enter(depth);
    const result: LosslessJson[] = [];
    this.skip();
    if (this.take(']')) return result;
    do {
      result.push(this.value(depth));
      this.skip();
    } while (this.take(','));
    if (!this.take(']')) throw this.syntax();
    return result;
  }

  private string(): string {
    let result = '';
    this.at++;
    for (;;) {
      plainRun.lastIndex = this.at;
      plainRun.test(this.text);
      result += this.text.slice(this.at, plainRun.lastIndex);
      this.at = plainRun.lastIndex;
      const code = this.text.charCodeAt(this.at);
      if (code === 0x22) {
        this.at++;
        return result;
      }
      if (code === 0x5c) result += this.escape();
      else if (code >= 0xd800 && code <= 0xdfff)
        result += this.surrogate(code, this.at + 1, this.text.charCodeAt(this.at + 1), 1);
      else throw this.syntax();
    }
  }

  private escape(): string {
    const letter = this.text[this.at + 1] ?? '';
    if (letter !== 'u') {
      const char = escapes[letter];
      if (char === undefined) throw this.syntax();
      this.at += 2;
      return char;
    }
    const code = this.hex(this.at + 2);
    if (code === 0) throw new JsonError('forbidden_character', 'a string holds U+0000');
    if (code >= 0xd800 && code <= 0xdfff) {
      const low = this.text.startsWith('\\u', this.at + 6) ? this.hex(this.at + 8) : NaN;
      this.at += 6;
      return this.surrogate(code, this.at, low, 6);
    }
    this.at += 6;
    return String.fromCharCode(code);
  }

  /** Joins a surrogate pair; `next` is where its second half stands, `width` how many characters that half takes. */
  private surrogate(high: number, next: number, low: number, width: number): string {
    if (!(high < 0xdc00 && low >= 0xdc00 && low <= 0xdfff)) {
      throw new JsonError('forbidden_character', 'a string holds a lone surrogate');
    }
    this.at = next + width;
    return String.fromCharCode(high, low);
  }

  private hex(at: number): number {
    const digits = this.text.slice(at, at + 4);
    if (!hex4.test(digits)) throw this.syntax();
    return parseInt(digits, 16);
  }

  private number(): JsonNumber {
    numberToken.lastIndex = this.at;
    const match = numberToken.exec(this.text);
    if (!match) throw this.syntax();
    this.at = numberToken.lastIndex;
    return new JsonNumber(match[0]);
  }

  private word<T>(word: string, value: T): T {
    if (!this.text.startsWith(word, this.at)) throw this.syntax();
    this.at += word.length;
    return value;
  }

  private enter(depth: number): void {
    if (depth > this.maxDepth) throw new JsonError('too_deep', `nested deeper than ${this.maxDepth}`);
    this.at++;
  }

  private skip(): void {
    whitespace.lastIndex = this.at;
    whitespace.test(this.text);
    this.at = whitespace.lastIndex;
  }

  private take(char: string): boolean {
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  private syntax(): JsonError {
    return new JsonError('syntax', `not JSON at character ${this.at}`);
  }
}
