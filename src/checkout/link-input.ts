import type { LinkTerms } from '../links/link.js';
import { amountFault, type AmountFault } from '../links/link-amount.js';

/** What a payer typed into the field of a link, read or refused. */
export type Typed =
  | { amount: string }
  | { fault: AmountFault | 'missing' | 'grouped' }
  /** A comma that may part thousands or decimals: the two amounts that may be meant. */
  | { fault: 'ambiguous'; whole: string; decimal: string };

const zeros = ['0', '٠', '۰', '０'].map((zero) => zero.charCodeAt(0));
const latin = '0123456789';

/** The digits that payers' keyboards have (Arabic, Persian, full width) and their points, as Latin ones. */
const inLatin = (text: string): string =>
  text
    .replace(/[^\x00-\x7f]/g, (char) => {
      const zero = zeros.find((code) => char.charCodeAt(0) >= code && char.charCodeAt(0) < code + latin.length);
      return zero === undefined ? char : latin.charAt(char.charCodeAt(0) - zero);
    })
    .replace(/[٫．]/g, '.')
    .replace(/，/g, ',');

/**
 * Reads an amount by the money rules of the API. One comma stands for the point, unless it could also part thousands: then
 * nobody guesses.
 */
export function readTyped(text: string, terms: Pick<LinkTerms, 'currency' | 'minAmount' | 'maxAmount'>): Typed {
  const typed = inLatin(text.trim());
  if (typed === '') return { fault: 'missing' };
  if (/^\d[\d.,'’٬\s]*$/.test(typed) && (/['’٬\s]/.test(typed) || typed.replace(/\d/g, '').length > 1))
    return { fault: 'grouped' };
  const [, whole = '', part = ''] = /^(\d+),(\d+)$/.exec(typed) ?? [];
  if (/^[1-9]\d{0,2},\d{3}$/.test(typed))
    return { fault: 'ambiguous', whole: whole + part, decimal: `${whole}.${part}` };
  const amount = part === '' ? typed : `${whole}.${part}`;
  const fault = amountFault(amount, terms);
  return fault === null ? { amount } : { fault };
}
