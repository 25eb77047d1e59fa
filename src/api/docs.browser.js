// Shows /openapi.json with Swagger UI, in the reader's colours, and sends a sandbox's key where the page holds one.

/** @type {{ SwaggerUIBundle: (options: object) => { preauthorizeApiKey: (name: string, key: string) => void } }} */
const { SwaggerUIBundle } = /** @type {any} */ (window);
const key = document.getElementById('key')?.dataset['key'];
const place = document.getElementById('viewer');

const dark = matchMedia('(prefers-color-scheme: dark)');
const paint = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', paint);
paint();

/** Gives what Swagger UI draws the names and roles that it leaves out, so that it can be used without seeing it. */
function tidy() {
  // A link within a button is reached by neither.
  for (const link of place?.querySelectorAll('button a[href]') ?? []) link.removeAttribute('href');
  for (const field of place?.querySelectorAll('select, input, textarea') ?? []) {
    if (field.id !== '' && place?.querySelector(`label[for="${CSS.escape(field.id)}"]`)) continue;
    const row = field.closest('tr, .opblock-section-request-body, .auth-container');
    const name = row?.querySelector('.parameter__name, .opblock-title, h4, .response-col_status')?.textContent;
    field.setAttribute('aria-label', field.getAttribute('placeholder') ?? name?.replace(/\s*\*.*/, '') ?? 'Choose');
  }
  for (const block of place?.querySelectorAll('pre, .responses-wrapper, .table-container') ?? [])
    if (block.scrollWidth > block.clientWidth || block.scrollHeight > block.clientHeight)
      block.setAttribute('tabindex', '0');
}
let waiting = false;
const observer = new MutationObserver(() => {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    tidy();
  });
});
if (place !== null) observer.observe(place, { childList: true, subtree: true });

const viewer = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#viewer',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  // Its colours are too faint to read.
  syntaxHighlight: false,
  // The page's own policy: nothing is asked of anybody else.
  validatorUrl: null,
  onComplete: () => {
    if (key) viewer.preauthorizeApiKey('bearer', key);
  },
});
