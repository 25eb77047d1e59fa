import { asset, baseStyle } from '../platform/http/assets.controller.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { version } from '../version.js';

const developerStyle = asset('developer.css', ...baseStyle, new URL('./developer.css', import.meta.url));

interface Layout {
  title: string;
  sandbox: boolean;
  /** The page that this is, in the menu. */
  here: '/' | '/docs';
  /** Further stylesheets and scripts of the page. */
  head?: Html;
  body: Html;
  /** Whether the main part of the page is within `body`; else `body` is it. */
  bringsMain?: boolean;
}

/** The frame of the pages for developers: what this is, its version, and the ways to the others. */
export const developerLayout = ({ title, sandbox, here, head = nothing, body, bringsMain = false }: Layout): Html =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title} · Finality</title>
        <link rel="stylesheet" href="${developerStyle}" />
        ${head}
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header class="bar">
          <p class="brand">Finality <span>${version}</span></p>
          ${sandbox ? html`<p class="badge warn">Sandbox: no real money</p>` : nothing}
          <nav aria-label="For developers">
            ${sandbox ? link('/', 'First payment', here) : nothing} ${link('/docs', 'API', here)}
            ${link('/ops', 'Console', here)} ${sandbox ? link('/metrics', 'Metrics', here) : nothing}
          </nav>
        </header>
        ${bringsMain ? html`<div id="main">${body}</div>` : html`<main id="main">${body}</main>`}
      </body>
    </html> `;

const link = (path: string, label: string, here: string): Html =>
  path === here ? html`<a href="${path}" aria-current="page">${label}</a>` : html`<a href="${path}">${label}</a>`;
