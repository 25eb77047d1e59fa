import { Injectable, Logger } from '@nestjs/common';
import type { Pool, PoolClient } from 'pg';
import { Clock, type Instant } from '../kernel/clock.js';
import { Refusal } from '../kernel/refusal.js';
import { inTransaction } from '../platform/database/database.pg.js';
import { Jobs, type JobRun, type TaskHandler } from '../platform/jobs/jobs.pg.js';
import { acceptFulfillment, giveUpFulfillment, reportFulfillment } from './fulfillment.js';
import { FulfillmentStreams, type FulfillmentDecision } from './fulfillment-streams.pg.js';
import { gapSeconds, maxAttempts } from './retry-schedule.js';
import { isFinal, readAnswer, type FulfillmentAnswer } from './webhook-answer.js';
import { WebhookEndpoints, type WebhookTarget } from './webhook-endpoints.pg.js';
import { WebhookClient, type WebhookResponse } from './webhook.client.js';
import { isWebhookType, type WebhookType } from './webhook-types.js';

export const deliverWebhookTask = 'deliver_webhook';

/** One webhook for one endpoint: what a job carries. No secret is in it. */
export interface WebhookMessage {
  messageId: string;
  endpointId: string;
  paymentId: string;
  applicationId: string;
  correlationId: string;
  type: WebhookType;
  /** The exact JSON text that is sent at every attempt. */
  body: string;
}

interface DeliveryPayload extends WebhookMessage {
  /** From 1. */
  attempt: number;
}

const keptAnswerBytes = 1024;

/** Adds the job of one attempt, in the caller's transaction. The same attempt added twice is one job. */
export async function addDelivery(
  jobs: Jobs,
  tx: PoolClient,
  message: WebhookMessage,
  attempt = 1,
  runAfterMs = 0,
): Promise<void> {
  const { messageId, endpointId, paymentId } = message;
  const payload: DeliveryPayload = { ...message, attempt };
  await jobs.add(tx, deliverWebhookTask, payload, {
    key: `${messageId}:${endpointId}:${String(attempt)}`,
    ...(runAfterMs > 0 ? { runAfterMs } : {}),
    // Two lanes for an endpoint: a slow one never holds more than two workers, and a payment's webhooks keep their order.
    lane: `${endpointId}:${String(parseInt(paymentId.slice(-1), 16) % 2)}`,
  });
}

/**
 * The task `deliver_webhook`. An attempt, and the job of the next one where it failed, are recorded in one transaction;
 * a run that a crash cut short before that is made again and sends the same `webhook-id`.
 */
@Injectable()
export class WebhookDelivery {
  private readonly log = new Logger(WebhookDelivery.name);

  constructor(
    private readonly pool: Pool,
    private readonly endpoints: WebhookEndpoints,
    private readonly client: WebhookClient,
    private readonly jobs: Jobs,
    private readonly streams: FulfillmentStreams,
    private readonly clock: Clock,
  ) {}

  readonly task: TaskHandler = (payload, run) => this.deliver(readPayload(payload), run);

  private async deliver(payload: DeliveryPayload, run: JobRun): Promise<void> {
    if (await this.isRecorded(payload)) return;
    const target = await this.endpoints.target(payload.endpointId);
    if (target) await this.attempt(payload, target, run);
    else await this.decide(payload, 'service', (fulfillment) => giveUpFulfillment(fulfillment, this.clock.now()));
  }

  private async attempt(payload: DeliveryPayload, target: WebhookTarget, run: JobRun): Promise<void> {
    const attemptedAt = this.clock.now();
    const { messageId, body, attempt } = payload;
    const response = await this.client.send({ ...target, messageId, body }, run.signal);
    const last = isFinal(response.outcome, response.status) || attempt >= maxAttempts;
    // The effect comes before the record, so that what is recorded has had its effect; both may be repeated.
    if (response.outcome === 'success')
      await this.acknowledged(payload, readAnswer(response.status ?? 0, response.body));
    else if (last)
      await this.decide(payload, 'service', (fulfillment) => giveUpFulfillment(fulfillment, this.clock.now()));
    await inTransaction(this.pool, (tx) => this.record(tx, payload, response, attemptedAt, last));
    if (response.outcome !== 'success') this.tell(payload, response, last);
  }

  private async acknowledged(payload: DeliveryPayload, answer: FulfillmentAnswer): Promise<void> {
    const now = this.clock.now();
    const actor = `application:${payload.applicationId}`;
    await this.decide(payload, actor, (fulfillment) => {
      if (answer.says === 'later') return acceptFulfillment(fulfillment, now);
      const { says: outcome, reference, note } = answer;
      return reportFulfillment(fulfillment, { outcome, via: 'webhook', reference, note }, now);
    });
  }

  /** Only one type of webhook asks for something; an answer to the others means nothing but that it arrived. */
  private async decide(payload: DeliveryPayload, actor: string, decision: FulfillmentDecision): Promise<void> {
    const { type, paymentId, applicationId, correlationId, messageId } = payload;
    if (type !== 'fulfillment.requested') return;
    try {
      await this.streams.decide(paymentId, applicationId, { actor, correlationId, causationId: messageId }, decision);
    } catch (error) {
      // Another endpoint of the application, or the API, was first with another outcome: the first report stands.
      if (!(error instanceof Refusal)) throw error;
      this.log.warn({
        msg: 'an answer to a webhook was not taken as a report',
        paymentId,
        messageId,
        code: error.code,
      });
    }
  }

  private async record(
    tx: PoolClient,
    payload: DeliveryPayload,
    response: WebhookResponse,
    attemptedAt: Instant,
    last: boolean,
  ): Promise<void> {
    const { messageId, endpointId, attempt, applicationId, paymentId, type } = payload;
    const { status, outcome, durationMs } = response;
    const text = `insert into webhook_attempt (message_id, endpoint_id, attempt, application_id, payment_id, type, attempted_at,
        duration_ms, status, outcome, answer)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing`;
    const answer = keptAnswer(response.body);
    const values = [
      messageId,
      endpointId,
      attempt,
      applicationId,
      paymentId,
      type,
      attemptedAt,
      durationMs,
      status,
      outcome,
      answer,
    ];
    const { rowCount } = await tx.query({ name: 'webhook-attempt', text, values });
    // Recorded by another run of this attempt, which has taken care of what follows.
    if (rowCount === 0) return;
    if (status === 410) await this.endpoints.disable(tx, endpointId);
    if (outcome === 'success' || last) return;
    const seconds = response.retryAfterSeconds ?? gapSeconds(attempt, Math.random());
    const { attempt: _, ...message } = payload;
    await addDelivery(this.jobs, tx, message, attempt + 1, seconds * 1000);
  }

  private async isRecorded({ messageId, endpointId, attempt }: DeliveryPayload): Promise<boolean> {
    const text = 'select 1 from webhook_attempt where message_id = $1 and endpoint_id = $2 and attempt = $3';
    const { rows } = await this.pool.query({
      name: 'webhook-attempt-known',
      text,
      values: [messageId, endpointId, attempt],
    });
    return rows.length > 0;
  }

  private tell(payload: DeliveryPayload, { outcome, status }: WebhookResponse, last: boolean): void {
    const { messageId, endpointId, paymentId, attempt } = payload;
    const line = {
      msg: 'a webhook was not delivered',
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

/** The first KiB, without what PostgreSQL cannot store; null for an empty answer. */
function keptAnswer(body: string): string | null {
  const text = Buffer.from(body).subarray(0, keptAnswerBytes).toString('utf8').replaceAll('\0', '');
  return text === '' ? null : text;
}

function readPayload(value: unknown): DeliveryPayload {
  const payload = value as Partial<DeliveryPayload> | null;
  const texts = [
    payload?.messageId,
    payload?.endpointId,
    payload?.paymentId,
    payload?.applicationId,
    payload?.correlationId,
    payload?.body,
  ];
  const sound =
    texts.every((text) => typeof text === 'string') &&
    typeof payload?.attempt === 'number' &&
    isWebhookType(payload.type ?? '');
  if (!sound) throw new TypeError('the payload of a webhook job cannot be read');
  return value as DeliveryPayload;
}
