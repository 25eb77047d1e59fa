/**
 * Planted faults, each of which the simulation has to find. `changes` are made in the built code as it is loaded (each
 * text has to be there exactly once); `plant` changes the parts of a replica, `spoil` what all replicas share. Where one
 * layer hides the fault of another, both are planted together.
 *
 * @typedef {object} Mutant
 * @property {string} about
 * @property {{ file: string, from: string, to: string }[]} [changes]
 * @property {(parts: import('./replica.ts').Parts) => void} [plant]
 * @property {(shared: import('./replica.ts').Shared) => void} [spoil]
 */

/** @type {Readonly<Record<string, Mutant>>} */
export const mutants = {
  'no-reconciliation': {
    about: 'nobody asks the gateway',
    spoil: ({ looks }) => {
      looks.nextDue = () => null;
    },
  },
  'answer-before-commit': {
    about: 'a callback is answered 200 before it is committed',
    spoil: ({ store }) => {
      store.defects.acknowledgesEarly = true;
    },
  },
  'evidence-not-recognised': {
    about: 'the same evidence is stored and decided upon again',
    spoil: ({ store }) => {
      store.defects.noMessageDedupe = true;
    },
  },
  'no-version-check': {
    about: 'an append does not look whether its stream has moved on',
    spoil: ({ store }) => {
      store.defects.noVersionCheck = true;
    },
  },
  'new-webhook-id': {
    about: 'each attempt has a webhook-id of its own',
    spoil: ({ outbox }) => {
      outbox.defects.newIdPerAttempt = true;
    },
  },
  'marked-before-the-call': {
    about: 'a webhook counts as delivered when it is claimed',
    spoil: ({ outbox }) => {
      outbox.defects.markedBeforeTheCall = true;
    },
  },
  'webhooks-unordered': {
    about: 'a webhook does not wait for those before it',
    spoil: ({ outbox }) => {
      outbox.defects.unordered = true;
    },
  },
  'delivery-lease-for-ever': {
    about: 'what a killed process was delivering is never taken up',
    spoil: ({ outbox }) => {
      outbox.defects.leaseForEver = true;
    },
  },
  'look-lease-for-ever': {
    about: 'what a killed process was looking at is never taken up',
    spoil: ({ looks }) => {
      looks.defects.leaseForEver = true;
    },
  },
  'checkpoint-first': {
    about: 'a follower moves its checkpoint before its effects are committed',
    spoil: ({ checkpoints }) => {
      checkpoints.defects.checkpointFirst = true;
    },
  },
  'reads-past-open-transactions': {
    about: 'a follower reads to the last position that was drawn',
    spoil: ({ checkpoints }) => {
      checkpoints.defects.readsPastOpenTransactions = true;
    },
  },
  'order-not-claimed': {
    about: 'a payment does not claim its order',
    plant: ({ streams }) => {
      const { begin } = streams;
      streams.begin = (event, cause, keys) => begin.call(streams, event, cause, keys.slice(1));
    },
  },
  'amount-not-compared': {
    about: 'the amount that the gateway asks for and has is not compared with ours',
    changes: [
      {
        file: 'payments/decisions.js',
        from: 'return contradict(payment, found, claim);',
        to: 'return contradict(payment, [], claim);',
      },
      { file: 'payments/policy.js', from: "return review('merchant', clause, ['paid_short']);", to: '{}' },
    ],
  },
  'always-corroborated': {
    about: 'any answer of the gateway bears out what a callback claimed',
    changes: [
      {
        file: 'payments/decisions.js',
        from: "if (beyondAmounts || alone.conclusion === 'paid') {",
        to: 'if (beyondAmounts || alone) {',
      },
    ],
  },
  'callback-believed': {
    about: 'a callback alone makes a payment fulfillable',
    changes: [
      {
        file: 'payments/payment.js',
        from: "const corroboratedAt = event.data.witness === 'operator' ? event.data.at : null;",
        to: 'const corroboratedAt = event.data.at;',
      },
    ],
  },
  'expired-not-polled': {
    about: 'nobody looks at an expired payment any more',
    changes: [
      {
        file: 'reconciliation/reconcile.js',
        from: "if (payment.status === 'pending')",
        to: "if (payment.status === 'expired')\n        return null;\n    if (payment.status === 'pending')",
      },
    ],
  },
  'late-always-accepted': {
    about: 'money after the deadline completes a payment whose policy does not accept it',
    changes: [
      {
        file: 'payments/policy.js',
        from: 'const { then } = facts.policy.rules.latePayment;',
        to: "const then = 'accept';",
      },
    ],
  },
  'blind-retry': {
    about: 'an invoice is asked for again without a look at what the first try has left',
    changes: [
      {
        file: 'payments/invoice-opener.handlers.js',
        from: 'const found = await this.search(payment.terms);',
        to: 'const found = null;',
      },
    ],
  },
  'late-opened-resets': {
    about: 'an invoice that is recorded again makes the payment pending again',
    changes: [
      {
        file: 'payments/decisions.js',
        from: "return payment.status === 'created' || isWithoutInvoice(payment)\n        ? [{ type: 'InvoiceOpened'",
        to: "return payment\n        ? [{ type: 'InvoiceOpened'",
      },
      {
        file: 'payments/payment.js',
        from: "    switch (event.type) {\n        case 'PaymentPaid': {",
        to: "    switch (event.type) {\n        case 'InvoiceOpened':\n            return { ...payment, status: 'pending' };\n        case 'PaymentPaid': {",
      },
    ],
  },
  'fulfilment-asked-again': {
    about: 'fulfilment is asked for each time that a payment becomes fulfillable',
    changes: [
      {
        file: 'fulfillment/fulfillment.job.js',
        from: 'return fulfillment === null\n',
        to: 'return true\n',
      },
      {
        file: 'fulfillment/fulfillment.js',
        from: "return fulfillment === null ? [{ type: 'FulfillmentRequested'",
        to: "return true ? [{ type: 'FulfillmentRequested'",
      },
    ],
  },
  'one-attempt': {
    about: 'a webhook that failed once is given up',
    changes: [
      {
        file: 'fulfillment/delivery.js',
        from: 'if (isFinal(outcome, status) ||',
        to: "if (outcome !== 'success' ||",
      },
    ],
  },
  'read-model-without-fulfilment': {
    about: 'the read model does not take note of what became of the goods',
    changes: [
      {
        file: 'read-models/order-projection.pg.js',
        from: 'entry.fulfillment = evolveFulfillment(entry.fulfillment, readFulfillmentEvent(event));',
        to: '{}',
      },
    ],
  },
};

/** The one that runs beside every plain run. */
export const canary = 'always-corroborated';
