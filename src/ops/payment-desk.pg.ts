import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import { isUuid } from '../kernel/ids.js';
import { Refusal } from '../kernel/refusal.js';
import { WebhookDeliveries } from '../fulfillment/webhook-deliveries.pg.js';
import { callbackSource } from '../payments/evidence.js';
import { PaymentGateway, type CallbackSays } from '../payments/payment-gateway.js';
import { PaymentStreams, type LoadedPayment } from '../payments/payment-streams.pg.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import { EventStore, type StoredMessage } from '../platform/event-store/event-store.pg.js';
import type { Evidence, Life } from './payment-timeline.page.js';
import { readRecord } from './timeline-reader.pg.js';

/** Finds what the page of one payment shows. */
@Injectable()
export class PaymentDesk {
  constructor(
    @Inject(DatabasePool) private readonly pool: Pool,
    @Inject(EventStore) private readonly store: EventStore,
    @Inject(PaymentStreams) private readonly streams: PaymentStreams,
    @Inject(WebhookDeliveries) private readonly deliveries: WebhookDeliveries,
    @Inject(PaymentGateway) private readonly gateway: PaymentGateway,
  ) {}

  /** A payment of any application. Throws `Refusal('not_found')`. */
  async payment(id: string): Promise<LoadedPayment> {
    const loaded = isUuid(id) ? await this.streams.find(id) : null;
    if (loaded === null) throw new Refusal('not_found', 'There is no payment with this id.');
    return loaded;
  }

  async lifeOf(loaded: LoadedPayment): Promise<Life> {
    const { pool, store, deliveries } = this;
    const record = await readRecord({ pool, store, deliveries }, loaded);
    const evidence = [...record.messages, ...record.waiting].map((message) => this.evidence(message));
    return { ...record, evidence };
  }

  /** The name of an application. */
  async applicationOf({ payment }: LoadedPayment): Promise<string> {
    const { rows } = await this.pool.query<{ name: string }>('select name from application where id = $1', [
      payment.terms.applicationId,
    ]);
    return rows[0]?.name ?? payment.terms.applicationId;
  }

  private evidence(message: StoredMessage): Evidence {
    const { source, body, headers } = message;
    if (source !== callbackSource) return { ...message, says: answerInWords(body), signature: null };
    const says = callbackInWords(this.gateway.readCallback(body));
    return { ...message, says, signature: this.gateway.signatureOf(body, headers) };
  }
}

const saysOf = (status: string, transfers: number): string =>
  `“${status}”${transfers === 0 ? '' : transfers === 1 ? ', with one transfer' : `, with ${String(transfers)} transfers`}`;

function callbackInWords(said: CallbackSays): string {
  if (said.kind === 'unreadable') return `It cannot be read: ${said.reason}.`;
  return said.kind === 'payout'
    ? `It says of a payout: ${saysOf(said.report.status, 0)}.`
    : `It says ${saysOf(said.report.status, said.report.transfers.length)}.`;
}

/** Answers are stored as they were read; whoever writes to the database could have put anything there. */
function answerInWords(body: Buffer): string {
  const report = answerIn(body);
  if (typeof report !== 'object' || report === null || !('status' in report)) return 'It cannot be read.';
  const transfers = 'transfers' in report && Array.isArray(report.transfers) ? report.transfers.length : 0;
  return `It says ${saysOf(String(report.status), transfers)}.`;
}

function answerIn(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return null;
  }
}
