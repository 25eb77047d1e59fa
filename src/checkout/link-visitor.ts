/*
 * Who asks for a link's address: a person in a browser, or a program that looks at what is behind it.
 */

/** Programs that fetch addresses to show or to index what is there. What they ask for opens nothing. Cubot is a make of phones. */
const lookers =
  /(?<!\bcu)bot\b|crawl|spider|preview|slurp|facebookexternalhit|facebookcatalog|meta-external|whatsapp|skypeuri|bingpreview|embedly|quora link|vkshare|w3c_validator|pinterest|mastodon|iframely|outbrain|viber|snapchat|google-read-aloud|google-inspectiontool|mediapartners/i;

type Headers = Readonly<Record<string, string | string[] | undefined>>;
const textOf = (headers: Headers, name: string): string => String(headers[name] ?? '').toLowerCase();

/**
 * Whether somebody goes to the page: not a HEAD, not fetched ahead of time (`Sec-Purpose`, `Purpose`, `X-Moz`), not a
 * picture or frame of another page (Fetch Metadata), and not a program that shows or indexes links.
 */
export function isVisit(method: string, headers: Headers): boolean {
  if (method === 'HEAD') return false;
  const ahead = ['sec-purpose', 'purpose', 'x-purpose', 'x-moz'].some((name) =>
    /prefetch|prerender|preview/.test(textOf(headers, name)),
  );
  const mode = textOf(headers, 'sec-fetch-mode');
  const destination = textOf(headers, 'sec-fetch-dest');
  const inside = (mode !== '' && mode !== 'navigate') || (destination !== '' && destination !== 'document');
  return !ahead && !inside && !lookers.test(textOf(headers, 'user-agent'));
}

/**
 * Whether a form may come from our own page. Browsers of today say so by `Sec-Fetch-Site`; older ones by `Origin`, which
 * is `null` from a page that sends no referrer.
 */
export function isOwnForm(headers: Headers, origin: string): boolean {
  const site = textOf(headers, 'sec-fetch-site');
  if (site !== '') return site === 'same-origin' || site === 'none';
  return ['', 'null', origin.toLowerCase()].includes(textOf(headers, 'origin'));
}

/** The cookie that a visitor of a reusable link is known by, on the link's own path. */
export const visitorCookie = 'link';

const pattern = /^[A-Za-z0-9_-]{22}$/;

/** Whether this can be a visitor's secret: 128 random bits. */
export const isVisitor = (text: string | undefined): text is string => text !== undefined && pattern.test(text);

/** As long as a payment can stay open. */
const rememberedSeconds = 2 * 24 * 3600;

export const cookieFor = (visitor: string, path: string, secure: boolean): string =>
  `${visitorCookie}=${visitor}; Path=${path}; HttpOnly; SameSite=Lax; Max-Age=${String(rememberedSeconds)}${secure ? '; Secure' : ''}`;
