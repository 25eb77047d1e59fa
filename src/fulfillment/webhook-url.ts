import { isIP } from 'node:net';
import { isPublicAddress } from './public-address.js';

export interface WebhookUrlRules {
  /** With the sandbox gateway, plain HTTP and private addresses are allowed. */
  sandbox: boolean;
  /** Where this service itself is reached; a webhook must not lead back to it. */
  publicUrl: string;
}

const maxUrlLength = 2048;
// A URL parser drops some of these and turns the last into a slash: what is read then is not what is looked at.
const misread = /[\u0000-\u0020\u007f-\u00a0\u2028\u2029\ufeff\\]/;
// Names that never leave a machine or a site: RFC 6761, 6762, 7686, 8375, 9476, ICANN's names for private use, and the
// usual ones for metadata services.
const privateNames = [
  'localhost',
  'localdomain',
  'local',
  'internal',
  'home.arpa',
  'intranet',
  'private',
  'corp',
  'home',
  'lan',
  'svc',
  'alt',
  'onion',
  'invalid',
  'test',
  'metadata.goog',
];

/** What is wrong with a webhook's URL, as a sentence for its owner; null where nothing is. */
export function webhookUrlFault(text: string, rules: WebhookUrlRules): string | null {
  if (text.length > maxUrlLength) return `must be at most ${String(maxUrlLength)} characters long`;
  if (misread.test(text)) return 'must not hold spaces, control characters or backslashes';
  if (!URL.canParse(text)) return 'must be an absolute URL';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must begin with https://';
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or a password';
  return rules.sandbox ? null : publicFault(url, rules);
}

function publicFault(url: URL, rules: WebhookUrlRules): string | null {
  if (url.protocol !== 'https:') return 'must begin with https://';
  if (url.port !== '') return 'must not name a port: webhooks go to port 443';
  // The URL parser has turned every spelling of an address (0x7f.1, 2130706433, full-width digits) into the usual one.
  const host = plainHost(url);
  if (URL.canParse(rules.publicUrl) && host === plainHost(new URL(rules.publicUrl)))
    return 'must not lead back to this service';
  if (isIP(host) !== 0) return isPublicAddress(host) ? null : 'must not lead to a private or reserved address';
  const labels = host.split('.');
  if (
    labels.length < 2 ||
    labels.includes('') ||
    privateNames.some((name) => host === name || host.endsWith(`.${name}`))
  ) {
    return 'must name a host on the public Internet';
  }
  return null;
}

/** Without the brackets of an IPv6 address and the dot that ends a full name. */
const plainHost = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
