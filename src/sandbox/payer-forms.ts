import { conflict, expectTransfer, payingFrom } from './commands.js';
import { Fields } from './fields.js';
import { paymentStatuses } from './ledger.js';
import { perform } from './payer-actions.js';
import type { Stage } from './scenarios.js';

type Form = (stage: Stage, fields: Fields) => Promise<string> | string;

const longestAdvanceSeconds = 365 * 86_400;

/** The forms of the payer's page by the last part of their address; each tells in a sentence what it did, or throws why not. */
const forms: Readonly<Record<string, Form>> = {
  actions: async (stage, fields) => (await perform(fields.text('action'), stage)) ?? 'There is no such button.',
  transfers: ({ gateway, payment }, fields) => {
    expectTransfer(payment);
    const transfer = gateway.seeTransfer(payment, payingFrom(payment, fields));
    return `${transfer.sent} ${transfer.currency} was seen on ${transfer.network}, with ${transfer.confirmations} confirmations.`;
  },
  confirmations: ({ gateway, payment }, fields) => {
    if (payment.transfers.length === 0) throw conflict('there is no transfer to confirm');
    const count = fields.integer('count', { min: 0, max: 1_000_000 }, 0);
    gateway.confirm(payment, count);
    return `Every transfer has ${count} confirmations; the payment is ${payment.status}.`;
  },
  status: ({ gateway, payment }, fields) => {
    const status = fields.oneOf('status', paymentStatuses, null) ?? payment.status;
    const told = fields.has('callback');
    gateway.setStatus(payment, status, told ? 'always' : 'never');
    return `The status was set to ${status}; ${told ? 'a callback tells it' : 'no callback was sent'}.`;
  },
  clock: async ({ payment, advance }, fields) => {
    const seconds = fields.integer('seconds', { min: 1, max: longestAdvanceSeconds }, 60);
    await advance(seconds);
    return `The clock moved ${seconds} seconds, for the service too; the payment is ${payment.status}.`;
  },
};

/** Does what a form of the page asks for; null where there is no such form. */
export async function submit(name: string, stage: Stage, body: string): Promise<string | null> {
  const form = Object.hasOwn(forms, name) ? forms[name] : undefined;
  return form ? form(stage, new Fields(Object.fromEntries(new URLSearchParams(body)))) : null;
}
