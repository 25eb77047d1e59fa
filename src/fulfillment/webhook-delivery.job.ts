import { setMaxListeners } from 'node:events';
import { Inject, Injectable, Logger } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { SpanKind, type Attributes } from '@opentelemetry/api';
import { addSeconds, Clock, type Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { inSpan, type Facts, type SpanOptions } from '../platform/spans.js';
import {
  endpointEvents,
  healthAfter,
  nextOf,
  type AttemptRecord,
  type ClaimedDelivery,
  type DeliveryNext,
  type EndpointHealth,
} from './delivery.js';
import { EndpointStreams } from './endpoint-streams.pg.js';
import { acceptFulfillment, giveUpFulfillment, reportFulfillment } from './fulfillment.js';
import { FulfillmentStreams, type FulfillmentDecision } from './fulfillment-streams.pg.js';
import { readAnswer, type DeliveryOutcome, type FulfillmentAnswer } from './webhook-answer.js';
import { WebhookOutbox } from './webhook-outbox.pg.js';
import { WebhookClient, type WebhookResponse } from './webhook.client.js';

/** Attempts that one process has under way at a time. */
const atOnce = 32;
/** Of these to endpoints that fail, and may let each take all its time. */
const atOnceToFailing = 16;
/**
 * What was claimed by a process that then died is attempted again after this time, and until then takes room from its
 * endpoint. An attempt is cut off after 15 seconds.
 */
const leaseSeconds = 20;
/** Stopping waits so long for attempts under way; the rest are cut off and made again after their lease. */
const patienceMs = 5000;
const keptAnswerBytes = 1024;

/** An attempt of this process that was recorded, or a delivery that it ended without one. */
export interface DeliveryNews {
  delivery: ClaimedDelivery;
  /** Null where nothing was sent, because there is no endpoint to send it to. */
  outcome: DeliveryOutcome | null;
  durationMs: number;
  next: DeliveryNext;
  /** Why its endpoint was disabled just now; null where it was not. */
  disabled: EndpointHealth['disabled'];
  at: Instant;
}

/**
 * Sends what waits in the outbox. Safe with any number of replicas: each delivery is claimed. What an attempt means is
 * told to the fulfilment and to the endpoint's stream before the attempt's record is committed, so that nothing recorded is
 * without its effect; an attempt that a crash cuts short is made again with the same `webhook-id`.
 */
@Injectable()
export class WebhookDelivery {
  private readonly log = new Logger(WebhookDelivery.name);
  private readonly inHand = new Set<Promise<void>>();
  private readonly listeners = new Set<(news: DeliveryNews) => void>();
  private readonly cut = new AbortController();
  private toFailing = 0;
  private claiming: Promise<void> | null = null;
  private again = false;
  private stopped = false;

  constructor(
    @Inject(WebhookOutbox) private readonly outbox: WebhookOutbox,
    @Inject(WebhookClient) private readonly client: WebhookClient,
    @Inject(FulfillmentStreams) private readonly streams: FulfillmentStreams,
    @Inject(EndpointStreams) private readonly endpoints: EndpointStreams,
    @Inject(Clock) private readonly clock: Clock,
  ) {
    // Every attempt under way listens.
    setMaxListeners(2 * atOnce, this.cut.signal);
  }

  /** Calls `listener`, which must not throw, after each recorded attempt. Returns how to stop it. */
  onAttempt(listener: (news: DeliveryNews) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Takes as much of what is due as there is room for, and goes on while there is more; a slow one holds up no other. */
  @Interval('webhooks', 250)
  async tick(): Promise<void> {
    this.again = true;
    this.claiming ??= this.claim().finally(() => {
      this.claiming = null;
    });
    await this.claiming;
  }

  /** Claims nothing more; resolves when what is in hand is done or cut off. */
  async stop(): Promise<void> {
    this.stopped = true;
    await this.claiming;
    const timer = setTimeout(() => this.cut.abort(), patienceMs);
    await Promise.all(this.inHand);
    clearTimeout(timer);
  }

  private async claim(): Promise<void> {
    try {
      while (this.again && !this.stopped) {
        this.again = false;
        const room = atOnce - this.inHand.size;
        if (room < 1) return;
        const now = this.clock.now();
        const roomForFailing = Math.max(0, atOnceToFailing - this.toFailing);
        const claimed = await this.outbox.claim(now, addSeconds(now, leaseSeconds), room, roomForFailing);
        for (const delivery of claimed) this.begin(delivery);
        this.again ||= claimed.length > 0;
      }
    } catch (error) {
      this.log.warn({ msg: 'no webhook could be claimed', error: String(error) });
    }
  }

  private begin(delivery: ClaimedDelivery): void {
    const failing = delivery.health.failingSince === null ? 0 : 1;
    this.toFailing += failing;
    const work = inSpan('webhook attempt', attemptSpan(delivery), (tell) => this.deliver(delivery, tell))
      .catch((error: unknown) => {
        const { webhookId: messageId, endpointId, correlationId } = delivery;
        this.log.warn({
          msg: 'an attempt to deliver a webhook was cut short',
          correlationId,
          messageId,
          endpointId,
          error: String(error),
        });
      })
      .finally(() => {
        this.inHand.delete(work);
        this.toFailing -= failing;
        void this.tick();
      });
    this.inHand.add(work);
  }

  private async deliver(delivery: ClaimedDelivery, tell: Facts): Promise<void> {
    const { target } = delivery;
    if (target) await this.attempt(delivery, target, tell);
    else await this.end(delivery);
  }

  /** There is no endpoint to send it to. */
  private async end(delivery: ClaimedDelivery): Promise<void> {
    const next = { status: 'dead' } as const;
    const held = await this.finish(delivery, null, next, delivery.health);
    if (held) this.report({ delivery, outcome: null, durationMs: 0, next, disabled: null, at: this.clock.now() });
  }

  private report(news: DeliveryNews): void {
    for (const listener of this.listeners) listener(news);
  }

  private async attempt(delivery: ClaimedDelivery, target: Target, tell: Facts): Promise<void> {
    const { webhookId: messageId, body } = delivery;
    const at = this.clock.now();
    const response = await this.client.send({ ...target, messageId, body }, this.cut.signal);
    tell(toldBy(response));
    const now = this.clock.now();
    const next = nextOf(delivery, response, now, Math.random());
    const health = healthAfter(delivery.health, response, now, Math.random());
    if (response.outcome === 'success')
      await this.acknowledged(delivery, readAnswer(response.status ?? 0, response.body));
    const { status, outcome, durationMs } = response;
    const record: AttemptRecord = { at, durationMs, status, outcome, answer: keptAnswer(response.body) };
    const held = await this.finish(delivery, record, next, health, () => this.tellOwner(delivery, health, now));
    if (held) this.report({ delivery, outcome, durationMs, next, disabled: health.disabled, at: now });
    const { endpointId, correlationId } = delivery;
    if (!held) this.log.warn({ msg: 'an attempt outlived its lease', correlationId, messageId, endpointId });
    else if (outcome !== 'success') this.tell(delivery, response, next);
  }

  private finish(
    delivery: ClaimedDelivery,
    attempt: AttemptRecord | null,
    next: DeliveryNext,
    health: EndpointHealth,
    whenTended?: () => Promise<void>,
  ): Promise<boolean> {
    const giveUp = (): Promise<void> =>
      this.decide(delivery, 'service', (fulfillment) => giveUpFulfillment(fulfillment, this.clock.now()));
    return this.outbox.finish(delivery, attempt, next, health, {
      ...(isRequest(delivery) ? { whenLast: giveUp } : {}),
      ...(whenTended ? { whenTended } : {}),
    });
  }

  private async acknowledged(delivery: ClaimedDelivery, answer: FulfillmentAnswer): Promise<void> {
    // Only one type of webhook asks for something; an answer to the others means nothing but that it arrived.
    if (!isRequest(delivery)) return;
    const now = this.clock.now();
    await this.decide(delivery, `application:${delivery.applicationId}`, (fulfillment) => {
      if (answer.says === 'later') return acceptFulfillment(fulfillment, now);
      const { says: outcome, reference, note } = answer;
      return reportFulfillment(fulfillment, { outcome, via: 'webhook', reference, note }, now);
    });
  }

  private async decide(delivery: ClaimedDelivery, actor: string, decision: FulfillmentDecision): Promise<void> {
    const { paymentId, applicationId, correlationId, webhookId: messageId } = delivery;
    try {
      await this.streams.decide(paymentId, applicationId, { actor, correlationId, causationId: messageId }, decision);
    } catch (error) {
      // Another endpoint of the application, or the API, was first with another outcome: the first report stands.
      if (!(error instanceof Refusal)) throw error;
      const { code } = error;
      const msg = 'an answer to a webhook was not taken as a report';
      this.log.warn({ msg, correlationId, paymentId, messageId, code });
    }
  }

  private async tellOwner(delivery: ClaimedDelivery, health: EndpointHealth, now: Instant): Promise<void> {
    const { endpointId, applicationId, correlationId, webhookId: causationId, attempt } = delivery;
    const cause = { actor: 'service', correlationId, causationId };
    for (const event of endpointEvents(endpointId, delivery.health, health, now)) {
      await this.endpoints.record(applicationId, event, cause, `${causationId} ${String(attempt)}`);
      this.log.error({ msg: 'a webhook endpoint fails', correlationId, endpointId, event: event.type });
    }
  }

  private tell(delivery: ClaimedDelivery, { outcome, status }: WebhookResponse, next: DeliveryNext): void {
    const { webhookId: messageId, endpointId, paymentId, correlationId, attempt } = delivery;
    const last = next.status === 'dead';
    const line = {
      msg: 'a webhook was not delivered',
      correlationId,
      messageId,
      endpointId,
      paymentId,
      attempt,
      outcome,
      status,
      last,
    };
    if (last) this.log.error(line);
    else this.log.warn(line);
  }
}

type Target = NonNullable<ClaimedDelivery['target']>;

const attemptSpan = ({
  correlationId,
  webhookId: causeId,
  type,
  endpointId,
  paymentId,
  attempt,
}: ClaimedDelivery): SpanOptions => ({
  of: { correlationId, causeId },
  kind: SpanKind.CLIENT,
  attributes: {
    'finality.webhook.id': causeId,
    'finality.webhook.type': type,
    'finality.webhook.endpoint_id': endpointId,
    'finality.webhook.attempt': attempt,
    'finality.payment_id': paymentId,
  },
});

const toldBy = ({ outcome, status }: WebhookResponse): Attributes => ({
  'finality.outcome': outcome,
  ...(status === null ? {} : { 'http.response.status_code': status }),
});

const isRequest = ({ type }: ClaimedDelivery): boolean => type === 'fulfillment.requested';

/** The first KiB, without what PostgreSQL cannot store; null for an empty answer. */
function keptAnswer(body: string): string | null {
  const text = Buffer.from(body).subarray(0, keptAnswerBytes).toString('utf8').replaceAll('\0', '');
  return text === '' ? null : text;
}
