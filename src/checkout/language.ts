/*
 * In which language a payer is spoken to. Pure: the request's words come in as they are.
 */

/** The languages of the payer's pages, English first: whoever asks for none of them gets that. */
export const languages = ['en', 'tr', 'es', 'de', 'fr', 'ar', 'fa', 'ru', 'zh'] as const;
export type Language = (typeof languages)[number];

/** What each language calls itself. */
export const languageNames: Readonly<Record<Language, string>> = {
  en: 'English',
  tr: 'Türkçe',
  es: 'Español',
  de: 'Deutsch',
  fr: 'Français',
  ar: 'العربية',
  fa: 'فارسی',
  ru: 'Русский',
  zh: '中文',
};

export const directionOf = (language: Language): 'ltr' | 'rtl' =>
  language === 'ar' || language === 'fa' ? 'rtl' : 'ltr';

/** The tag for `lang` attributes and `Intl` (BCP 47): our Chinese is written in simplified characters. */
export const tagOf = (language: Language): string => (language === 'zh' ? 'zh-Hans' : language);

/** The language that a tag such as `de-AT` or `zh_TW` begins with; null where it is none of ours. */
function spokenIn(tag: string): Language | null {
  const primary = tag.trim().toLowerCase().split(/[-_]/)[0];
  return languages.find((language) => language === primary) ?? null;
}

/**
 * The language of a page: what `?lang=` asks for, else the one that `Accept-Language` likes best (RFC 9110, section
 * 12.5.4; a tag with a region falls back to its language), else English. Total: any value of either gives a language.
 */
export const languageOf = (query: unknown, acceptLanguage: string | undefined): Language =>
  (typeof query === 'string' ? spokenIn(query) : null) ?? preferred(acceptLanguage ?? '') ?? 'en';

/** A header may be long; nobody speaks more languages than this. */
const readAtMost = 30;

function preferred(header: string): Language | null {
  const refused = new Set<Language>();
  let best: Language | 'any' | null = null;
  let bestQuality = 0;
  for (const range of header.slice(0, 1000).split(',').slice(0, readAtMost)) {
    const [tag = '', ...parameters] = range.split(';');
    const language = tag.trim() === '*' ? 'any' : spokenIn(tag);
    const quality = qualityOf(parameters);
    if (language === null || quality === null) continue;
    if (quality === 0 && language !== 'any' && !/[-_]/.test(tag)) refused.add(language);
    if (quality > bestQuality) [best, bestQuality] = [language, quality];
  }
  return best === 'any' ? (languages.find((language) => !refused.has(language)) ?? null) : best;
}

/** In thousandths; all of them where none is given, null where it is malformed. */
function qualityOf(parameters: readonly string[]): number | null {
  const given = parameters.map((text) => text.trim().toLowerCase()).find((text) => /^q\s*=/.test(text));
  if (given === undefined) return 1000;
  const value = /^q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.exec(given)?.[1];
  if (value === undefined) return null;
  return value.startsWith('1') ? 1000 : parseInt(value.slice(2).padEnd(3, '0'), 10);
}
