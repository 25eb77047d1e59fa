import { describe, expect, it } from '@jest/globals';
import { explorerOf } from '../../src/payments/explorers.js';
import { directionOf, languageOf, languages } from '../../src/checkout/language.js';
import { textsIn } from '../../src/checkout/languages/texts-in.js';
import { lasting } from '../../src/checkout/wording.js';

describe('The language of the status page', () => {
  it.each([
    ['what the browser prefers', undefined, 'de-AT,de;q=0.9,en;q=0.8', 'de'],
    ['the best of its qualities, whatever their order', undefined, 'en;q=0.2, ru;q=0.700, fr;q=0.5', 'ru'],
    ['the first of equals', undefined, 'tr, es', 'tr'],
    ['the first that we have', undefined, 'ja, ko;q=0.9, fa-IR;q=0.1', 'fa'],
    ['Chinese of any region', undefined, 'zh-Hant-TW', 'zh'],
    ['none that is refused', undefined, 'de;q=0, *;q=0.5', 'en'],
    ['another than English where that is refused', undefined, 'en;q=0, *', 'tr'],
    ['no malformed quality', undefined, 'de;q=2, fr;q=0.5, es;q=x, ru;q=0.1234', 'fr'],
    ['English of nobody we understand', undefined, 'ja, q=1, ;;;, ,', 'en'],
    ['English without a header', undefined, undefined, 'en'],
    ['English by an empty header', undefined, '', 'en'],
    ['any case', undefined, 'AR-eg;Q=1', 'ar'],
    ['what was asked for before what the browser prefers', 'tr', 'de', 'tr'],
    ['a region that was asked for', 'zh_CN', 'de', 'zh'],
    ['nothing that we do not speak', 'xx', 'de', 'de'],
    ['nothing that is no word', '__proto__', undefined, 'en'],
    ['one of two answers to one question: none', ['tr', 'de'], 'fr', 'fr'],
    ['a header of any length', undefined, `${'x,'.repeat(100_000)}de`, 'en'],
  ])('is %s', (_, query, header, expected) => {
    expect(languageOf(query, header)).toBe(expected);
  });

  it('is read from the right where it is Arabic or Persian', () => {
    expect(languages.filter((language) => directionOf(language) === 'rtl')).toEqual(['ar', 'fa']);
  });

  it('tells how long there is in its own words', () => {
    expect(lasting(3665, 'en')).toBe('1 hour, 2 minutes');
    expect(lasting(45, 'en')).toBe('45 seconds');
    expect(lasting(72 * 3600, 'ru')).toBe('3 дня');
    expect(lasting(72 * 3600, 'ar')).toBe('3 أيام');
    expect(lasting(6 * 3600, 'zh')).toBe('6小时');
    expect(lasting(60, 'fa')).toBe('1 دقیقه');
  });
});

/** Every text of a language with its path; the forms of a number count as one text each. */
function entries(texts: unknown, path = ''): [string, string][] {
  if (typeof texts === 'string') return [[path, texts]];
  return Object.entries(texts as Record<string, unknown>).flatMap(([key, value]) => entries(value, `${path}/${key}`));
}
const placeholders = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();
const form = /\/(zero|one|two|few|many|other)$/;

describe.each(languages)('The texts in %s', (language) => {
  const own = entries(textsIn(language));
  const english = new Map(entries(textsIn('en')));

  it('have the placeholders of the English ones', () => {
    const wrong = own.filter(([path, text]) => {
      const like = english.get(path) ?? english.get(path.replace(form, '/other')) ?? '';
      return placeholders(text).join() !== placeholders(like).join();
    });
    expect(wrong).toEqual([]);
  });

  it('have each form that its numbers take, and no other', () => {
    const { pluralCategories } = new Intl.PluralRules(language).resolvedOptions();
    const forms = new Map<string, string[]>();
    for (const [path] of own) {
      const [, name] = form.exec(path) ?? [];
      if (name !== undefined) forms.set(path.replace(form, ''), [...(forms.get(path.replace(form, '')) ?? []), name]);
    }
    expect(forms.size).toBe(4);
    for (const names of forms.values()) expect(names.sort()).toEqual([...pluralCategories].sort());
  });

  it('are translated, whole, and without markup', () => {
    expect(
      own.filter(([, text]) => text.trim() === '' || text !== text.trim() || /[<>]|\.\.\.|\s{2}/.test(text)),
    ).toEqual([]);
    const sentences = own.filter(([path]) => path.startsWith('/stories/'));
    const same = sentences.filter(([path, text]) => english.get(path) === text);
    expect(same.length).toBe(language === 'en' ? sentences.length : 0);
  });
});

describe('The link to a public explorer', () => {
  const hex = 'ab12cd34'.repeat(8);
  it.each([
    ['Tron Network', hex, `https://tronscan.org/#/transaction/${hex}`],
    ['TRC20', hex, `https://tronscan.org/#/transaction/${hex}`],
    ['TRON', hex, `https://tronscan.org/#/transaction/${hex}`],
    ['Ethereum Network', `0x${hex}`, `https://etherscan.io/tx/0x${hex}`],
    ['BSC', `0x${hex}`, `https://bscscan.com/tx/0x${hex}`],
    ['Polygon Network', `0x${hex}`, `https://polygonscan.com/tx/0x${hex}`],
    ['Bitcoin Network', hex, `https://mempool.space/tx/${hex}`],
    ['Litecoin Network', hex, `https://litecoinspace.org/tx/${hex}`],
    ['Dogecoin Network', hex, `https://blockchair.com/dogecoin/transaction/${hex}`],
    ['Bitcoin Cash Network', hex, `https://blockchair.com/bitcoin-cash/transaction/${hex}`],
    ['Solana Network', 'a'.repeat(88), `https://solscan.io/tx/${'a'.repeat(88)}`],
    ['Ton Network', hex, `https://tonviewer.com/transaction/${hex}`],
    ['Monero Network', hex, `https://xmrchain.net/tx/${hex}`],
    ['xrpl', hex.toUpperCase(), `https://xrpscan.com/tx/${hex.toUpperCase()}`],
    ['a network nobody knows', hex, null],
    ['', hex, null],
    ['constructor', hex, null],
    ['Tron Network', 'sandbox', null],
    ['Tron Network', '', null],
    ['Tron Network', `${hex}"><script>`, null],
    ['Tron Network', `../${hex.slice(3)}`, null],
    ['Ethereum Network', hex, null],
  ])('on %s to %.20s is right, or none', (network, hash, expected) => {
    expect(explorerOf(network, hash)).toBe(expected);
  });
});
