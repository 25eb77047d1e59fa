/** Everything that a webhook can tell; an endpoint may ask for some of these only. */
export const webhookTypes = [
  'payment.created',
  'payment.pending',
  'payment.detected',
  'payment.partially_paid',
  'payment.paid',
  'payment.expired',
  'payment.failed',
  'payment.late',
  'payment.overpaid',
  'payment.review_opened',
  'payment.review_resolved',
  'payment.refunded',
  'payment.credited',
  'fulfillment.requested',
] as const;

export type WebhookType = (typeof webhookTypes)[number];

export const isWebhookType = (text: string): text is WebhookType => webhookTypes.some((type) => type === text);
