type Examples = Record<string, { summary: string; value: object }>;

/*
 * Bodies that /docs puts into its forms: each is accepted as it stands, but for what its object is not ready for. A test
 * sends them all.
 */

const payoutTo = { address: 'TQ5nVbMLsgqfhY7QvMVbHyRqrg9qTgMVcQ', network: 'TRON' };

export const createExamples: Examples = {
  simple: {
    summary: 'An order, and what it costs',
    value: { orderId: 'order-1001', amount: '49.90', currency: 'USD' },
  },
  customer: {
    summary: 'For a customer, who comes back to the shop afterwards',
    value: {
      orderId: 'order-1002',
      amount: '120.00',
      currency: 'EUR',
      customerId: 'customer-7',
      description: 'Two tickets',
      email: 'payer@example.com',
      returnUrl: 'https://shop.example/thanks',
      lifetimeMinutes: 120,
      metadata: { cart: 'c-17' },
    },
  },
  embedded: {
    summary: 'For a page of your own: the answer says what is to be sent where',
    value: {
      orderId: 'order-1004',
      amount: '49.90',
      currency: 'USD',
      presentation: 'embedded',
      payCurrency: 'USDT',
      network: 'TRON',
    },
  },
  policy: {
    summary: 'With rules of its own: one percent may be missing, and what is late is accepted for a day',
    value: {
      orderId: 'order-1003',
      amount: '15.00',
      currency: 'USD',
      policy: {
        underpayment: { tolerancePercent: '1', then: 'reject' },
        latePayment: { window: 'PT24H', then: 'accept' },
      },
    },
  },
};

export const linkExamples: Examples = {
  fixed: {
    summary: 'To be paid once, and for this price',
    value: { amount: '25.00', currency: 'USD', description: 'Invoice 2026-114', singleUse: true },
  },
  chosen: {
    summary: 'For anybody, who says how much',
    value: { currency: 'EUR', description: 'A donation', minAmount: '2.00', maxAmount: '500.00' },
  },
};

export const addressExamples: Examples = {
  tron: { summary: "A customer's address for any coin of TRON", value: { customerId: 'customer-42', network: 'TRON' } },
};

export const reviewExamples: Examples = {
  accept: {
    summary: 'What is there is enough',
    value: { decision: 'accept', actor: 'support@shop.example', note: 'the payer confirmed the amount by mail' },
  },
  refund: {
    summary: 'It goes back',
    value: { decision: 'refund', actor: 'support@shop.example', note: 'the goods are sold out', refundTo: payoutTo },
  },
};

export const refundExamples: Examples = {
  all: { summary: 'All that can be refunded', value: { ...payoutTo, reason: 'returned goods' } },
  part: { summary: 'A part', value: { amount: '5.00', ...payoutTo, reason: 'one item was missing' } },
};

export const fulfillmentExamples: Examples = {
  fulfilled: { summary: 'Delivered', value: { outcome: 'fulfilled', reference: 'parcel-5512' } },
  rejected: { summary: 'Not to be delivered', value: { outcome: 'rejected', note: 'sold out' } },
};

export const endpointExamples: Examples = {
  all: { summary: 'Everything', value: { url: 'https://shop.example/webhooks/finality' } },
  some: {
    summary: 'What a shop needs to deliver, at an address of this machine (in sandbox)',
    value: { url: 'http://127.0.0.1:4000/webhooks', events: ['fulfillment.requested', 'payment.refunded'] },
  },
};

export const endpointChangeExamples: Examples = {
  resume: { summary: 'Put to use again', value: { enabled: true } },
  events: { summary: 'Hear of everything', value: { events: null } },
};

export const redeliverExamples: Examples = {
  dead: { summary: 'All that were given up', value: { status: 'dead' } },
};

/** The first is none, so that trying a route twice, or another one, does not meet the key of the first try. */
export const idempotencyKeyExamples: Record<string, { summary: string; value: string }> = {
  none: { summary: 'None: the request is carried out each time', value: '' },
  order: { summary: 'Made of the order and what is done', value: 'order-1001/create' },
  random: { summary: 'A random one, kept with the order', value: '6f1c2f0e-3c1d-4b57-9a55-0d6a1f6f9e21' },
};
