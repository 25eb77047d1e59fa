import { Inject, Injectable } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import type { RecordedEvent } from '../kernel/event.js';
import { Refusal } from '../kernel/refusal.js';
import { WebhookDeliveries } from '../fulfillment/webhook-deliveries.pg.js';
import { GatewayUnavailable } from '../payments/payment-gateway.js';
import { CancelPayment, Reconcile, ResolveReview, type Reconciled } from '../payments/payment.handlers.js';
import type { Cause, LoadedPayment } from '../payments/payment-streams.pg.js';
import { RequestRefund } from '../payments/refund.handlers.js';
import { ReprocessMessage, type Reprocessed } from '../payments/reprocess.handlers.js';
import { progressOf } from '../payments/standing.js';
import { EventStore } from '../platform/event-store/event-store.pg.js';
import { keptInWords } from './kept-message.js';
import type { Asked } from './payment-forms.js';
import { waitingFor } from './timeline-reader.pg.js';

const reprocessAtMost = 100;

/** Does what an operator asks for about a payment, by the commands that the API and the command line give. */
@Injectable()
export class PaymentActs {
  constructor(
    @Inject(CommandBus) private readonly commands: CommandBus,
    @Inject(WebhookDeliveries) private readonly deliveries: WebhookDeliveries,
    @Inject(EventStore) private readonly store: EventStore,
  ) {}

  /** Answers what it came to, in a sentence. `who` is the operator's name. Throws `Refusal` where nothing was done. */
  async act({ payment }: LoadedPayment, asked: Asked, who: string, cause: Cause): Promise<string> {
    const { id } = payment.terms;
    switch (asked.action) {
      case 'review': {
        const { decision, reason: note, refundTo } = asked;
        const resolution = { decision, actor: who, note, refundTo };
        return done('The review is decided', await this.ask(new ResolveReview(id, resolution, cause)), cause);
      }
      case 'refund': {
        const wish = { ...asked.wish, reason: asked.reason };
        return done('The refund is asked for', await this.ask(new RequestRefund(id, wish, cause)), cause);
      }
      case 'cancel':
        return done('The payment is cancelled', await this.ask(new CancelPayment(id, cause)), cause);
      case 'reconcile':
        return this.reconcile(id, cause);
      case 'redeliver':
        return this.redeliver(id, asked.delivery);
      case 'reprocess':
        return this.reprocess(payment, asked.retired, cause.actor);
    }
  }

  private ask(command: ResolveReview | RequestRefund | CancelPayment): Promise<LoadedPayment> {
    return this.commands.execute<typeof command, LoadedPayment>(command);
  }

  private async reconcile(id: string, cause: Cause): Promise<string> {
    try {
      const { payment, added } = await this.commands.execute<Reconcile, Reconciled>(new Reconcile(id, cause));
      return `The gateway was asked. ${changeOf(added)} ${standingOf(payment)}`;
    } catch (error) {
      if (!(error instanceof GatewayUnavailable)) throw error;
      throw new Refusal(
        'gateway_unavailable',
        `The gateway could not be asked (${error.message}); the service keeps asking by itself.`,
      );
    }
  }

  private async redeliver(paymentId: string, id: string): Promise<string> {
    const [found] = await this.deliveries.list(null, { ids: [id], paymentId }, { before: null, limit: 1 });
    if (!found) throw new Refusal('invalid_request', 'This webhook is none of this payment’s.');
    const { queued } = await this.deliveries.redeliver(null, { ids: [id] });
    if (queued === 0)
      throw new Refusal(
        'conflict',
        'Its endpoint is gone or disabled, or the webhook was cancelled, so that it is not sent.',
      );
    return `Webhook #${String(found.sequence)}, ${found.type}, is sent again under the same id.`;
  }

  private async reprocess(payment: LoadedPayment['payment'], retiredKey: boolean, actor: string): Promise<string> {
    const waiting = (await waitingFor(this.store, payment)).slice(0, reprocessAtMost);
    const results: Reprocessed[] = [];
    for (const { id } of waiting) {
      const command = new ReprocessMessage(id, { actor, retiredKey, dryRun: false });
      results.push(await this.commands.execute<ReprocessMessage, Reprocessed>(command));
    }
    const applied = results.filter(({ outcome }) => outcome === 'matched');
    const kept = results.flatMap(({ outcome, reason }) =>
      outcome === 'kept' ? [keptInWords(reason ?? 'unknown', 'tick the box to believe it')] : [],
    );
    const stay = kept.length === 0 ? '' : ` ${String(kept.length)} stay: ${[...new Set(kept)].join('; ')}.`;
    return `${String(applied.length)} of ${String(results.length)} kept callbacks applied. ${changeOf(applied.flatMap(({ events }) => events))}${stay}`;
  }
}

const done = (what: string, { payment, events }: LoadedPayment, { causationId }: Cause): string =>
  `${what}. ${changeOf(events.filter((event) => event.causationId === causationId))} ${standingOf(payment)}`;

const changeOf = (events: readonly RecordedEvent[]): string =>
  events.length === 0
    ? 'Nothing new came of it.'
    : `New: ${events.map(({ version, type }) => `#${String(version)} ${type}`).join(', ')}.`;

const standingOf = (payment: LoadedPayment['payment']): string =>
  `It stands: ${payment.status}, ${progressOf(payment).replaceAll('_', ' ')}.`;
