import { decimalsOf } from '../kernel/money.js';
import type { LinkTerms } from '../links/link.js';
import { showAmount } from '../payments/payment-view.js';
import { asset, baseStyle } from '../platform/http/assets.controller.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import type { Language } from './language.js';
import type { Typed } from './link-input.js';
import { linkTexts, type LinkTexts } from './link-texts.js';

const linkStyle = asset('link.css', ...baseStyle, new URL('./link.css', import.meta.url));

const rightToLeft: readonly Language[] = ['ar', 'fa'];

/** Keeps an amount whole and in its own order within a sentence of any direction (UAX 9, isolates). */
const isolated = (text: string): string => `\u2066${text}\u2069`;
const money = (amount: string, currency: string): string => isolated(`${showAmount(amount, currency)} ${currency}`);

/** What every page of a link is told. */
export interface Told {
  language: Language;
  terms: LinkTerms;
  /** Where forms of this page go: its own address, with the language where one was asked for. */
  action: string;
  sandbox: boolean;
}

/** A form of this visitor's; a repeated one means the same. */
interface Asked extends Told {
  visitor: string;
  /** Whether it is for a further payment, beside the one that the cookie leads to. */
  again: boolean;
}

interface Layout {
  language: Language;
  title: string;
  /** What a chat program shows of the link; null where there is nothing to share. */
  shared: { title: string; description: string } | null;
  body: Html;
}

const layout = ({ language, title, shared, body }: Layout): Html =>
  html`<!doctype html>
    <html lang="${language}" dir="${rightToLeft.includes(language) ? 'rtl' : 'ltr'}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        ${shared === null ? nothing : preview(shared)}
        <title>${title}</title>
        <link rel="stylesheet" href="${linkStyle}" />
      </head>
      <body>
        <main>${body}</main>
      </body>
    </html> `;

const preview = ({ title, description }: { title: string; description: string }): Html =>
  html`<meta property="og:type" content="website" />
    <meta property="og:title" content="${title}" />
    <meta property="og:description" content="${description}" />
    <meta name="description" content="${description}" />`;

/** The page of a link that can be paid. */
const payable = ({ language, terms, sandbox }: Told, form: Html): Html => {
  const texts = linkTexts[language];
  const { amount, currency, description } = terms;
  return layout({
    language,
    title: `${description} · ${texts.payment}`,
    shared: { title: description, description: amount === null ? texts.payment : money(amount, currency) },
    body: html`<h1 dir="auto">${description}</h1>
      ${amount === null ? nothing : html`<p class="amount"><bdi>${showAmount(amount, currency)} ${currency}</bdi></p>`}
      ${form} ${sandbox ? html`<p class="soft">${texts.sandbox}</p>` : nothing}`,
  });
};

/** Asks whoever did not come by a plain visit to go on by themselves. */
export const proceedPage = (asked: Asked): Html => {
  const { proceed, next } = linkTexts[asked.language];
  return payable(
    asked,
    html`<form method="post" action="${asked.action}">
      ${visitorFields(asked)}
      <button>${proceed}</button>
      <p class="soft">${next}</p>
    </form>`,
  );
};

const visitorFields = ({ visitor, again }: Pick<Asked, 'visitor' | 'again'>): Html =>
  html`<input type="hidden" name="visitor" value="${visitor}" />
    ${again ? html`<input type="hidden" name="again" value="1" />` : nothing}`;

/** Where a visitor who has a payment chooses the amount of a further one. */
const anotherPath = ({ action }: Told): string => `${action}${action.includes('?') ? '&' : '?'}another=1`;

/** Asks for an amount. `fault` says what was wrong with the one that was `typed`. */
export function amountPage(asked: Asked, typed = '', fault: string | null = null): Html {
  const { language, terms, action } = asked;
  const texts = linkTexts[language];
  const told = boundsOf(terms, texts);
  const bounds = told === fault ? null : told;
  const described = [bounds && 'bounds', fault !== null && 'fault'].filter(Boolean).join(' ');
  return payable(
    asked,
    html`<form method="post" action="${action}" novalidate>
      ${visitorFields(asked)}
      <label for="amount">${texts.amount}</label>
      <div class="field" dir="ltr">
        <input
          id="amount"
          name="amount"
          inputmode="decimal"
          autocomplete="off"
          maxlength="64"
          placeholder="${decimalsOf(terms.currency) === 0 ? '0' : '0.00'}"
          value="${typed}"
          required
          ${described === '' ? nothing : html`aria-describedby="${described}"`}
          ${fault === null ? nothing : html`aria-invalid="true" autofocus`}
        />
        <span class="currency">${terms.currency}</span>
      </div>
      ${fault === null ? nothing : html`<p class="wrong" id="fault" role="alert">${fault}</p>`}
      ${bounds ? html`<p class="soft" id="bounds">${bounds}</p>` : nothing}
      <button>${texts.proceed}</button>
      <p class="soft">${texts.next}</p>
    </form>`,
  );
}

function boundsOf({ minAmount, maxAmount, currency }: LinkTerms, texts: LinkTexts): string | null {
  if (minAmount !== null && maxAmount !== null)
    return texts.between(money(minAmount, currency), money(maxAmount, currency));
  if (minAmount !== null) return texts.atLeast(money(minAmount, currency));
  return maxAmount === null ? null : texts.atMost(money(maxAmount, currency));
}

/** What was wrong with an amount, in the payer's words. */
export function faultOf(typed: Extract<Typed, { fault: string }>, { language, terms }: Told): string {
  const texts = linkTexts[language];
  const { currency } = terms;
  switch (typed.fault) {
    case 'ambiguous':
      return texts.ambiguous(isolated(typed.whole), isolated(typed.decimal));
    case 'decimals':
      return texts.decimals(isolated(currency), decimalsOf(currency));
    case 'small':
    case 'large':
      return boundsOf(terms, texts) ?? texts.malformed;
    case 'form':
      return texts.malformed;
    default:
      return texts[typed.fault];
  }
}

const notice = (language: Language, [heading, text]: readonly [string, string], more: Html = nothing): Html =>
  layout({
    language,
    title: heading,
    shared: null,
    body: html`<h1>${heading}</h1>
      <p>${text}</p>
      ${more}`,
  });

const statusLink = (path: string, words: string): Html => html`<a class="button" href="${path}">${words}</a>`;

const quietLink = (path: string, words: string): Html => html`<a class="button quiet" href="${path}">${words}</a>`;

/** The link was ended. `statusPath`: the page of the payment that this visitor has; null for none. */
export const gonePage = (language: Language, statusPath: string | null): Html => {
  const { gone, seePayment } = linkTexts[language];
  return notice(language, gone, statusPath === null ? nothing : html`<p>${statusLink(statusPath, seePayment)}</p>`);
};

/** It was paid: by anybody, where it can be paid once, else by this visitor, who may pay once more as `visitor`. */
export const paidPage = (asked: Asked, statusPath: string): Html => {
  const { language, terms, action } = asked;
  const texts = linkTexts[language];
  const once = html`<form method="post" action="${action}">
    ${visitorFields({ ...asked, again: true })}
    <button class="quiet">${texts.payAgain}</button>
  </form>`;
  const again = terms.amount === null ? quietLink(anotherPath(asked), texts.payAgain) : once;
  return notice(
    language,
    terms.singleUse ? texts.paid : texts.paidBefore,
    html`<div class="buttons">${statusLink(statusPath, texts.seePayment)} ${terms.singleUse ? nothing : again}</div>`,
  );
};

/**
 * A payment is open whose amount the visitor chose. Where the link can be paid more than once they may choose again:
 * `wanted` is what they chose by now, null for nothing yet.
 */
export const openPage = (
  asked: Asked,
  { statusPath, amount, wanted }: { statusPath: string; amount: string; wanted: string | null },
): Html => {
  const { language, terms } = asked;
  const texts = linkTexts[language];
  const other = wanted === null ? quietLink(anotherPath(asked), texts.payOther) : insteadForm(asked, wanted);
  return notice(
    language,
    texts.open(money(amount, terms.currency)),
    html`<div class="buttons">${statusLink(statusPath, texts.goOn)} ${terms.singleUse ? nothing : other}</div>`,
  );
};

const insteadForm = (asked: Asked, wanted: string): Html =>
  html`<form method="post" action="${asked.action}">
    ${visitorFields({ ...asked, again: true })}
    <input type="hidden" name="amount" value="${wanted}" />
    <button class="quiet">${linkTexts[asked.language].payInstead(money(wanted, asked.terms.currency))}</button>
  </form>`;

/** Says that nothing was done, and why. `again`: where to try again; null where that would not help. */
export const troublePage = (
  language: Language,
  trouble: 'unknown' | 'unpayable' | 'down' | 'foreign' | 'failed' | { busySeconds: number },
  again: string | null = null,
): Html => {
  const texts = linkTexts[language];
  const told = typeof trouble === 'string' ? texts[trouble] : texts.busy(trouble.busySeconds);
  return notice(language, told, again === null ? nothing : html`<p>${statusLink(again, texts.tryAgain)}</p>`);
};
