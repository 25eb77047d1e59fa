import { isIP } from 'node:net';
import { isPublicAddress } from './public-address.js';

export interface WebhookUrlRules {
  /** With the sandbox gateway, plain HTTP and private addresses are allowed. */
  sandbox: boolean;
  /** Where this service itself is reached; a webhook must not lead back to it. */
  publicUrl: string;
}

const maxUrlLength = 2048;
// Names that never leave a machine or a site: RFC 6761, 6762, 8375, and ICANN's name for private use.
const privateNames = ['localhost', 'local', 'internal', 'home.arpa', 'intranet', 'lan'];

/** What is wrong with a webhook's URL, as a sentence for its owner; null where nothing is. */
export function webhookUrlFault(text: string, rules: WebhookUrlRules): string | null {
  if (text.length > maxUrlLength) return `must be at most ${String(maxUrlLength)} characters long`;
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
  const host = url.hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (isIP(host) !== 0) return isPublicAddress(host) ? null : 'must not lead to a private or reserved address';
  if (!host.includes('.') || privateNames.some((name) => host === name || host.endsWith(`.${name}`))) {
    return 'must name a host on the public Internet';
  }
  return host === hostOf(rules.publicUrl) ? 'must not lead back to this service' : null;
}

const hostOf = (url: string): string | null => (URL.canParse(url) ? new URL(url).hostname.replace(/\.$/, '') : null);
