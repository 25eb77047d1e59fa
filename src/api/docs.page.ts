import { asset } from '../platform/http/assets.controller.js';
import { html, nothing, type Html } from '../platform/http/html.js';
import { developerLayout } from './developer.page.js';

const docsScript = asset('docs.js', new URL('./docs.browser.js', import.meta.url));
const docsStyle = asset('docs.css', new URL('./docs.css', import.meta.url));

/** What the page takes of swagger-ui-dist, under /docs/. */
export const viewerFiles = { style: 'swagger-ui.css', script: 'swagger-ui-bundle.js' } as const;

interface Docs {
  sandbox: boolean;
  /** What requests are sent with unless the reader says otherwise; null: the reader is asked. */
  apiKey: string | null;
}

/** The API as Swagger UI shows it. Without script it leads to the document itself. */
export const docsPage = ({ sandbox, apiKey }: Docs): Html =>
  developerLayout({
    title: 'API',
    sandbox,
    here: '/docs',
    bringsMain: true,
    head: html`<link rel="stylesheet" href="${docsStyle}" />
      <link rel="stylesheet" href="/docs/${viewerFiles.style}" />
      <script defer src="/docs/${viewerFiles.script}"></script>
      <script type="module" src="${docsScript}"></script>`,
    body: html`<section aria-labelledby="title">
        <h1 id="title">Finality API</h1>
        <p class="lead">
          Open a route, choose “Try it out”, and execute it here, on this service.
          ${sandbox ? 'It is a sandbox: no real money moves.' : nothing}
        </p>
        <p class="note" id="key" ${apiKey === null ? nothing : html`data-key="${apiKey}"`}>
          ${
            apiKey === null
              ? html`Requests need an API key: choose “Authorize” and paste yours.`
              : html`Requests are sent with the key that this sandbox made for itself; “Authorize” takes another one.`
          }
          The same as a file: <a href="/openapi.json">openapi.json</a>.
        </p>
        <noscript><p class="fault">This page needs JavaScript; openapi.json holds all that it would show.</p></noscript>
        <h2>Routes</h2>
      </section>
      <div id="viewer"></div>`,
  });
