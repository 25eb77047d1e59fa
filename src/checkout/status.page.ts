import type { Instant } from '../kernel/clock.js';
import type { Payment } from '../payments/payment.js';
import { asset, baseStyle } from '../platform/http/assets.controller.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { directionOf, languageNames, languages, tagOf, type Language } from './language.js';
import { textsIn } from './languages/texts-in.js';
import { situationOf } from './situation.js';
import { statusCard, type Shown } from './status-card.page.js';

const statusStyle = asset('status.css', ...baseStyle, new URL('./status.css', import.meta.url));
const statusScript = asset('status.js', new URL('./status.browser.js', import.meta.url));

/** The payer's page for one payment. `asOf` is the moment that was asked for, where it is shown as it was. */
export function statusPage(
  payment: Payment,
  now: Instant,
  language: Language,
  shown: Shown & { asOf: string | null },
): Html {
  return frame({
    title: textsIn(language).stories[situationOf(payment, now)].heading,
    language,
    asOf: shown.asOf,
    script: shown.past === null,
    body: statusCard(payment, now, language, shown),
  });
}

/** For whoever has a link that leads to no payment: it says the same of every token. */
export function unknownPage(language: Language): Html {
  const { payment, unknown } = textsIn(language);
  return frame({
    title: payment,
    language,
    asOf: null,
    script: false,
    body: html`<main class="card tone-quiet">
      <h1>${unknown.heading}</h1>
      <p class="lead">${unknown.lead}</p>
    </main>`,
  });
}

interface Frame {
  title: string;
  language: Language;
  asOf: string | null;
  script: boolean;
  body: Html;
}

const frame = ({ title, language, asOf, script, body }: Frame): Html =>
  html`<!doctype html>
    <html lang="${tagOf(language)}" dir="${directionOf(language)}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title}</title>
        <link rel="stylesheet" href="${statusStyle}" />
        ${script ? html`<script type="module" src="${statusScript}"></script>` : nothing}
      </head>
      <body>
        ${body}
        <footer>
          <nav aria-label="${textsIn(language).language}">
            <ul>
              ${languages.map((each) => languageLink(each, each === language, asOf))}
            </ul>
          </nav>
        </footer>
      </body>
    </html> `;

function languageLink(each: Language, isCurrent: boolean, asOf: string | null): Html {
  const query = new URLSearchParams({ ...(asOf === null ? {} : { asOf }), lang: each });
  const [tag, dir] = [tagOf(each), directionOf(each)];
  return html`<li>
    <a
      href="?${query.toString()}"
      lang="${tag}"
      hreflang="${tag}"
      dir="${dir}"
      ${isCurrent ? html`aria-current="true"` : nothing}
      >${languageNames[each]}</a
    >
  </li>`;
}
