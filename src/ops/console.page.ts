import { asset, baseStyle } from '../platform/http/assets.controller.js';
import { html, nothing, type Html } from '../platform/http/html.js';

const consoleStyle = asset('console.css', ...baseStyle, new URL('./console.css', import.meta.url));

/** What a page needs to know of whoever looks at it. */
export interface Viewer {
  csrfToken: string;
  name: string;
  role: 'act' | 'view';
}

/** The parts of the console that its menu leads to. */
const parts = [
  ['queue', '/ops', 'Queue'],
  ['policies', '/ops/policies', 'Policies'],
  ['dashboards', '/ops/dashboards', 'Dashboards'],
  ['audit', '/ops/audit', 'Audit'],
] as const;

interface Layout {
  title: string;
  /** Which part of the console the page is the first page of. */
  current?: (typeof parts)[number][0];
  /** What was searched for; it stands in the box that every page has. */
  sought?: string;
  /** Null on the pages before the login. */
  viewer: Viewer | null;
  body: Html;
}

/** The frame of every page of the console. It is whole without script, and takes nothing from elsewhere. */
export const consoleLayout = ({ title, viewer, body, current, sought = '' }: Layout): Html =>
  html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>${title} · Finality operators</title>
        <link rel="stylesheet" href="${consoleStyle}" />
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        <header>
          <p class="brand">Finality <span>operators</span></p>
          ${viewer === null ? nothing : menu(viewer, current, sought)}
        </header>
        <main id="main">${body}</main>
      </body>
    </html> `;

const menu = ({ csrfToken, name, role }: Viewer, current: Layout['current'], sought: string): Html =>
  html`<nav aria-label="Console">
      ${parts.map(
        ([part, path, title]) =>
          html`<a href="${path}" ${part === current ? html`aria-current="page"` : nothing}>${title}</a>`,
      )}
    </nav>
    <form method="get" action="/ops/search" role="search" class="search">
      <label class="hidden" for="q">Order, payment or track id, transaction, address, e-mail or customer</label>
      <input type="search" id="q" name="q" value="${sought}" maxlength="200" placeholder="Find a payment" required />
      <button class="quiet">Search</button>
    </form>
    <form method="post" action="/ops/logout" class="leave">
      <input type="hidden" name="csrf" value="${csrfToken}" />
      ${role === 'view' ? html`<span class="badge">looking only</span>` : nothing}
      ${name === '' ? nothing : html`<span class="soft who">${name}</span>`}
      <button class="quiet">Log out</button>
    </form>`;

/** Asks for the password. `next` is where a login leads; `fault` says what was wrong. */
export const loginPage = ({ next, fault }: { next: string; fault: string | null }): Html =>
  consoleLayout({
    title: 'Log in',
    viewer: null,
    body: html`<div class="card narrow">
      <h1>Log in</h1>
      ${fault === null ? nothing : html`<p class="fault" role="alert" id="fault">${fault}</p>`}
      <form method="post" action="/ops/login">
        <input type="hidden" name="next" value="${next}" />
        <label for="name">Your name, for the record of what you do</label>
        <input id="name" name="name" autocomplete="username" maxlength="80" />
        <label for="password">Operators' password</label>
        <input
          type="password"
          id="password"
          name="password"
          autocomplete="current-password"
          required
          autofocus
          ${fault === null ? nothing : html`aria-describedby="fault"`}
        />
        <button>Log in</button>
      </form>
      ${
        next === '/ops'
          ? nothing
          : html`<p class="soft">
              You came by a link from elsewhere and are logged in already? <a href="${next}">Go on</a>.
            </p>`
      }
    </div>`,
  });

/** Says that a request was not fulfilled, and why. */
export const faultPage = (status: number, detail: string): Html =>
  consoleLayout({
    title: `Not done (${String(status)})`,
    viewer: null,
    body: html`<div class="card narrow">
      <h1>That did not work</h1>
      <p role="alert">${detail}</p>
      <p><a href="/ops">To the console's first page</a></p>
    </div>`,
  });

/** Whoever acts says why, for the record. `id` is the field's, which is once on a page. */
export const reasonField = (id: string): Html =>
  html`<label for="${id}">Why, for the record</label>
    <input id="${id}" name="reason" required maxlength="1000" autocomplete="off" />`;
