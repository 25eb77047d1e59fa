import { order } from './support.js';

/** What somebody who calls shows of themselves. */
export const credentials = {
  own: 'the key of the application that the object belongs to',
  other: 'the key of another application',
  none: 'nothing',
  revoked: 'a key that was ended',
  act: "an operator's session that may act, and no key",
  view: "an operator's session that may look only, and no key",
} as const;
export type Credential = keyof typeof credentials;

/** A route, a request to it that leads to something of the application `default`, and what each is answered. */
export interface Row {
  /** Whom it asks for: an API key, a session of the console, or nobody. */
  asks: 'key' | 'session' | 'nobody';
  path: string;
  /** Sent as JSON. */
  body?: unknown;
  /** Sent as a form; a session adds its token. */
  form?: Record<string, string>;
  answers: Record<Credential, number>;
  /** Why it asks for no key. */
  because?: string;
}

/** A route of the REST API: without a good key it is refused, and a session is none. */
const keyed = (path: string, answers: { own: number; other: number }, body?: unknown): Row => ({
  asks: 'key',
  path,
  ...(body !== undefined && { body }),
  answers: { ...answers, none: 401, revoked: 401, act: 401, view: 401 },
});

/** A page of the console: without a session it leads to the login, and a key is none. */
const page = (path: string, status = 200): Row => ({
  asks: 'session',
  path,
  answers: { own: 303, other: 303, none: 303, revoked: 303, act: status, view: status },
});

/** What changes something in the console: only a session that may act does it. `view` where others may, too. */
const act = (path: string, form: Record<string, string>, status = 303, view = 403): Row => ({
  asks: 'session',
  path,
  form,
  answers: { own: 401, other: 401, none: 401, revoked: 401, act: status, view },
});

/** The operators' passwords of the test's service. */
export const passwords = { act: 'test-ops-password', view: 'test-view-password' } as const;

const all = (status: number): Record<Credential, number> => ({
  own: status,
  other: status,
  none: status,
  revoked: status,
  act: status,
  view: status,
});

/** A route that treats everybody alike, and why. */
const open = (path: string, status: number, because: string, more: Partial<Row> = {}): Row => ({
  asks: 'nobody',
  path,
  because,
  ...more,
  answers: { ...all(status), ...more.answers },
});

/**
 * Every route of the service in sandbox. In `path` and `body` stand for the application `default`: `{payment}`, `{paid}`,
 * `{endpoint}`, `{delivery}`, `{policy}`, `{link}` (its address is `{slug}`), `{address}`, `{callback}`; `{token}` opens a status page, `{asset}` is a stylesheet. What a route before has
 * done is done: a DELETE stands last.
 */
export const rows: Readonly<Record<string, Row>> = {
  'POST /v1/payments': keyed('/v1/payments', { own: 201, other: 201 }, order('access-new')),
  'GET /v1/payments': keyed('/v1/payments', { own: 200, other: 200 }),
  'GET /v1/payments/{id}': keyed('/v1/payments/{payment}', { own: 200, other: 404 }),
  'GET /v1/payments/{id}/events': keyed('/v1/payments/{payment}/events', { own: 200, other: 404 }),
  'GET /v1/payments/{id}/explanation': keyed('/v1/payments/{payment}/explanation', { own: 200, other: 404 }),
  'GET /v1/payments/{id}/receipt': keyed('/v1/payments/{payment}/receipt', { own: 200, other: 404 }),
  'POST /v1/payments/{id}/reconcile': keyed('/v1/payments/{payment}/reconcile', { own: 200, other: 404 }),
  'POST /v1/payments/{id}/cancel': keyed('/v1/payments/{payment}/cancel', { own: 200, other: 404 }),
  'POST /v1/payments/{id}/review': keyed(
    '/v1/payments/{payment}/review',
    { own: 409, other: 404 },
    { decision: 'accept', actor: 'a person', note: 'why' },
  ),
  'POST /v1/payments/{id}/refunds': keyed(
    '/v1/payments/{payment}/refunds',
    { own: 409, other: 404 },
    { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON', reason: 'returned' },
  ),
  'POST /v1/payments/{id}/fulfillment': keyed(
    '/v1/payments/{paid}/fulfillment',
    { own: 200, other: 404 },
    { outcome: 'fulfilled' },
  ),
  'GET /v1/orders': keyed('/v1/orders', { own: 200, other: 200 }),
  'GET /v1/orders/{orderId}': keyed('/v1/orders/access-1', { own: 200, other: 404 }),
  'GET /v1/events': keyed('/v1/events', { own: 200, other: 200 }),
  'GET /v1/customers/{customerId}/balance': keyed('/v1/customers/access-c/balance', { own: 200, other: 200 }),
  'GET /v1/customers/{customerId}/ledger': keyed('/v1/customers/access-c/ledger', { own: 200, other: 200 }),
  // Whoever puts a policy has one of their own by that name.
  'PUT /v1/policies/{name}': keyed('/v1/policies/access-put', { own: 201, other: 201 }, {}),
  'POST /v1/policies/{name}/simulations': keyed(
    '/v1/policies/default/simulations',
    { own: 200, other: 200 },
    { policy: {} },
  ),
  'GET /v1/policies': keyed('/v1/policies', { own: 200, other: 200 }),
  'GET /v1/policies/{name}': keyed('/v1/policies/{policy}', { own: 200, other: 404 }),
  'POST /v1/payment-links': keyed(
    '/v1/payment-links',
    { own: 201, other: 201 },
    { amount: '5.00', currency: 'USD', description: 'a cup' },
  ),
  'GET /v1/payment-links': keyed('/v1/payment-links', { own: 200, other: 200 }),
  'GET /v1/payment-links/{id}': keyed('/v1/payment-links/{link}', { own: 200, other: 404 }),
  // One address per customer of an application: another one's customer of the same name has an address of its own.
  'POST /v1/deposit-addresses': keyed(
    '/v1/deposit-addresses',
    { own: 201, other: 201 },
    { customerId: 'access-new', network: 'TRON' },
  ),
  'GET /v1/deposit-addresses': keyed('/v1/deposit-addresses', { own: 200, other: 200 }),
  'GET /v1/deposit-addresses/{id}': keyed('/v1/deposit-addresses/{address}', { own: 200, other: 404 }),
  'DELETE /v1/deposit-addresses/{id}': keyed('/v1/deposit-addresses/{address}', { own: 204, other: 404 }),
  'POST /v1/webhook-endpoints': keyed(
    '/v1/webhook-endpoints',
    { own: 201, other: 201 },
    { url: 'http://127.0.0.1:9/hook' },
  ),
  'GET /v1/webhook-endpoints': keyed('/v1/webhook-endpoints', { own: 200, other: 200 }),
  'GET /v1/webhook-endpoints/{id}': keyed('/v1/webhook-endpoints/{endpoint}', { own: 200, other: 404 }),
  'PATCH /v1/webhook-endpoints/{id}': keyed(
    '/v1/webhook-endpoints/{endpoint}',
    { own: 200, other: 404 },
    { enabled: true },
  ),
  'POST /v1/webhook-endpoints/{id}/rotate-secret': keyed('/v1/webhook-endpoints/{endpoint}/rotate-secret', {
    own: 200,
    other: 404,
  }),
  'GET /v1/webhook-deliveries': keyed('/v1/webhook-deliveries', { own: 200, other: 200 }),
  'GET /v1/webhook-deliveries/{id}': keyed('/v1/webhook-deliveries/{delivery}', { own: 200, other: 404 }),
  'POST /v1/webhook-deliveries/redeliver': keyed(
    '/v1/webhook-deliveries/redeliver',
    { own: 202, other: 404 },
    { deliveryIds: ['{delivery}'] },
  ),
  'DELETE /v1/webhook-endpoints/{id}': keyed('/v1/webhook-endpoints/{endpoint}', { own: 204, other: 404 }),
  'POST /v1/callbacks/oxapay/{account}': open('/v1/callbacks/oxapay/default', 401, 'the gateway signs instead', {
    body: {},
  }),
  'GET /pay/{token}': open('/pay/{token}', 200, 'whoever has the token, which cannot be guessed'),
  'GET /pay/{token}/events': open(
    '/pay/{missing}/events',
    404,
    'as the page: whoever has the token, which cannot be guessed',
  ),
  'GET /l/{slug}': open('/l/{slug}', 303, 'whoever has the link: it is made to be shared'),
  'POST /l/{slug}': open('/l/{slug}', 303, 'as the page; forms of other sites are refused', { form: {} }),
  'DELETE /v1/payment-links/{id}': keyed('/v1/payment-links/{link}', { own: 204, other: 404 }),
  'GET /assets/{file}': open('{asset}', 200, 'nothing private'),
  'GET /health/live': open('/health/live', 200, 'for whoever watches the process'),
  'GET /health/ready': open('/health/ready', 200, 'for whoever watches the process'),
  'GET /metrics': open('/metrics', 200, "in sandbox; elsewhere the operators' password, and 404 without it"),
  'GET /openapi.json': open('/openapi.json', 200, 'nothing private'),
  'GET /docs': open(
    '/docs',
    200,
    'nothing private; a key that a sandbox has made for itself stands there in sandbox only',
  ),
  'GET /docs/*': open('/docs/swagger-ui.css', 200, 'nothing private'),
  'GET /': open('/', 200, 'in sandbox only; elsewhere there is nothing at this address'),
  'POST /sandbox/payments': open('/sandbox/payments', 303, 'in sandbox only; forms of other sites are refused', {
    form: { amount: '5', currency: 'USD' },
  }),
  'GET /ops/login': open('/ops/login', 200, 'asks for the password; leads on whoever is logged in', {
    answers: { ...all(200), act: 303, view: 303 },
  }),
  'POST /ops/login': open('/ops/login', 303, 'takes the password', { form: { password: passwords.act } }),
  'POST /ops/logout': act('/ops/logout', {}, 303, 303),
  'GET /ops': page('/ops'),
  'GET /ops/audit': page('/ops/audit'),
  'GET /ops/search': page('/ops/search?q=access'),
  'GET /ops/dashboards': page('/ops/dashboards'),
  'GET /ops/callbacks/{id}': page('/ops/callbacks/{callback}'),
  'POST /ops/callbacks/{id}/reprocess': act('/ops/callbacks/{callback}/reprocess', { reason: 'why' }),
  'POST /ops/deliveries/{id}/redeliver': act('/ops/deliveries/{delivery}/redeliver', { reason: 'why' }, 409),
  'GET /ops/payments/{id}': page('/ops/payments/{payment}'),
  'GET /ops/payments/{id}/versions/{version}': page('/ops/payments/{payment}/versions/1'),
  // Without the token of its form: what is wrong with it is told to those alone who may act.
  'POST /ops/payments/{id}/{act}': act('/ops/payments/{payment}/reconcile', { reason: 'why' }, 400),
  'GET /ops/policies': page('/ops/policies'),
  'GET /ops/policies/new': page('/ops/policies/new?application=default&name=access-new', 303),
  'POST /ops/policies/{application}/{policy}': act('/ops/policies/default/default', { reason: 'why' }, 422),
  'GET /ops/policies/{application}/{policy}': page('/ops/policies/default/default'),
};
