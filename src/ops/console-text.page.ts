import type { Instant } from '../kernel/clock.js';
import { html, type Html } from '../platform/http/html.js';

/** `2026-01-31 12:00:05 UTC` */
export const secondsOf = (at: Instant): string => `${at.slice(0, 19).replace('T', ' ')} UTC`;

/** The same, with the exact time for programs. */
export const timeOf = (at: Instant): Html => html`<time datetime="${at}">${secondsOf(at)}</time>`;

/** Where the page of a payment is. */
export const paymentPath = (paymentId: string): string => `/ops/payments/${paymentId}`;
