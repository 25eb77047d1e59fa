import { msOf, type Instant } from '../kernel/clock.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { tagOf, type Language } from './language.js';
import type { Plural } from './languages/texts.js';

/*
 * Texts with something put in. Amounts, hashes and addresses stay as they are in every language, and run from the left
 * also where the text runs from the right.
 */

/** Text that is read from the left, whatever stands around it. */
export const ltr = (text: string): Html => html`<bdi dir="ltr">${text}</bdi>`;

/** Puts values in the place of `{name}`; a name that no value is given for stays as it is. */
export const fill = (text: string, values: Readonly<Record<string, string | Html>>): Html =>
  html`${text.split(/(\{[a-z]+\})/).map((part) => {
    const value = /^\{[a-z]+\}$/.test(part) ? values[part.slice(1, -1)] : undefined;
    return value === undefined ? html`${part}` : html`${value}`;
  })}`;

/** The form for a number, with it put in as `{count}`. `by` is the number that the form follows, where it is another. */
export function counted(
  forms: Plural,
  language: Language,
  count: number,
  more: Readonly<Record<string, string>> = {},
  by = count,
): Html {
  const form = forms[new Intl.PluralRules(tagOf(language)).select(by)] ?? forms.other;
  return fill(form, { count: String(count), ...more });
}

/** One numeral system on the whole page: amounts are not translated, so nothing else is. */
const numerals = (language: Language): string => `${tagOf(language)}-u-nu-latn`;

type Unit = 'day' | 'hour' | 'minute' | 'second';

const inUnit = (language: Language, count: number, unit: Unit): string =>
  new Intl.NumberFormat(numerals(language), { style: 'unit', unit, unitDisplay: 'long' }).format(count);

/** How long something lasts, to the minute, in the last minute to the second: "1 hour, 5 minutes". */
export function lasting(seconds: number, language: Language): string {
  if (seconds < 60) return inUnit(language, seconds, 'second');
  const minutes = Math.ceil(seconds / 60);
  const [days, hours, rest] = [Math.floor(minutes / 1440), Math.floor(minutes / 60) % 24, minutes % 60];
  const counts: [number, Unit][] = [
    [days, 'day'],
    [hours, 'hour'],
    [rest, 'minute'],
  ];
  const parts = counts.filter(([count]) => count > 0).map(([count, unit]) => inUnit(language, count, unit));
  return new Intl.ListFormat(tagOf(language), { type: 'unit', style: 'short' }).format(parts);
}

/** A moment in the payer's words, UTC: the server does not know where they are. */
export const momentIn = (language: Language, at: Instant): Html => {
  const options = { dateStyle: 'medium', timeStyle: 'short', timeZone: 'UTC' } as const;
  return html`<time datetime="${at}">${new Intl.DateTimeFormat(numerals(language), options).format(msOf(at))}</time>`;
};

/** Pieces side by side with a space between them. */
export const spaced = (pieces: readonly Html[]): Html =>
  html`${pieces.map((piece, at) => html`${at === 0 ? nothing : ' '}${piece}`)}`;
