import type { FastifyReply } from 'fastify';
import type { Html } from './html.js';

/**
 * What a page may do: take stylesheets, scripts and streams from this service, and send its forms there; nothing else, and
 * in nobody's frame. No inline script or style, not even an attribute: text that somebody put into an order stays text.
 */
export const contentSecurityPolicy =
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/** Gives a page the headers that every page of the service has. What it tells is for whoever asked, and for now. */
export function sendPage(reply: FastifyReply, page: Html, status = 200): string {
  void reply
    .status(status)
    .header('content-type', 'text/html; charset=utf-8')
    .header('cache-control', 'no-store')
    .header('referrer-policy', 'no-referrer')
    .header('x-content-type-options', 'nosniff')
    .header('x-frame-options', 'DENY')
    .header('content-security-policy', contentSecurityPolicy);
  return page.text;
}

/** Leads on to another address of this service, by GET. */
export function leadTo(reply: FastifyReply, path: string): string {
  void reply.status(303).header('location', path).header('cache-control', 'no-store');
  return '';
}
