import { v5 } from 'uuid';
import type { WebhookType } from './webhook-types.js';

/**
 * The id of a payment's n-th webhook of a type, from 1 (the header `webhook-id`): the same whoever makes it and however
 * often, also after a restore from a backup, so that its receiver can tell repeats.
 */
export const webhookIdOf = (paymentId: string, type: WebhookType, n: number): string =>
  v5(`${type} ${String(n)}`, paymentId);
