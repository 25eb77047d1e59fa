// Shows /openapi.json with Swagger UI, in the reader's colours, and sends a sandbox's key where the page holds one.

/** @type {{ SwaggerUIBundle: (options: object) => { preauthorizeApiKey: (name: string, key: string) => void } }} */
const { SwaggerUIBundle } = /** @type {any} */ (window);
const key = document.getElementById('key')?.dataset['key'];

const dark = matchMedia('(prefers-color-scheme: dark)');
const paint = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', paint);
paint();

const viewer = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#viewer',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: true,
  tryItOutEnabled: true,
  // The page's own policy: nothing is asked of anybody else.
  validatorUrl: null,
  onComplete: () => {
    if (key) viewer.preauthorizeApiKey('bearer', key);
  },
});
