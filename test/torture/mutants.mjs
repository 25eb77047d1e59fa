// Faults to plant in the service, each of which the checker has to find.
import { setTimeout as delay } from 'node:timers/promises';
import { randomUUID } from 'node:crypto';
import { CallbacksController } from '../../dist/callbacks/callbacks.controller.js';
import { WebhookClient } from '../../dist/fulfillment/webhook.client.js';

const plants = {
  /** Says `ok` first and writes a moment later: what a kill falls upon in between is lost. */
  'ack-before-commit': () => {
    const { take } = CallbacksController.prototype;
    CallbacksController.prototype.take = function (...given) {
      void delay(250)
        .then(() => take.apply(this, given))
        .catch(() => undefined);
      return Promise.resolve({ result: 'applied', reason: null });
    };
  },
  /** A new id for every attempt: a receiver that was told twice fulfils twice. */
  'id-per-attempt': () => {
    const { send } = WebhookClient.prototype;
    WebhookClient.prototype.send = function (target, ...rest) {
      return send.call(this, { ...target, messageId: randomUUID() }, ...rest);
    };
  },
};

export const mutants = Object.keys(plants);

/** Plants one, or none where the name is empty. */
export const plantMutant = (name) => {
  if (name !== '') plants[name]();
};
