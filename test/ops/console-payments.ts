import { createHash } from 'node:crypto';
import { expect } from '@jest/globals';
import { sign } from '../../src/gateway/signature.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { RandomIds } from '../../src/platform/ids.js';
import { said } from '../callbacks/support.js';
import { merchantKey, until, type TestService } from '../support/service.js';

/** A payment of the shop's, as the gateway and we call it. */
export interface Made {
  id: string;
  trackId: string;
}

/** Payments in the states that an operator meets. */
export class Shop {
  constructor(private readonly service: TestService) {}

  async open(orderId: string, more: Record<string, unknown> = {}): Promise<Made> {
    const order = { orderId, amount: '50.00', currency: 'USD', ...more };
    const { status, body } = await this.service.api('POST', '/v1/payments', order);
    expect(status).toBe(201);
    return body as Made;
  }

  /** Paid in full, and told so by callbacks; the gateway has borne it out. */
  async paid(orderId: string, more: Record<string, unknown> = {}): Promise<Made> {
    const made = await this.open(orderId, more);
    await this.play('exact', made.trackId);
    await this.becomes(made.id, ({ fulfillable }) => fulfillable === true);
    return made;
  }

  /** Short of its price when its time is over, under a policy that asks a person. */
  async underpaid(orderId: string): Promise<string> {
    const { id, trackId } = await this.open(orderId, {
      lifetimeMinutes: 15,
      policy: { underpayment: { tolerancePercent: '0', then: 'review' } },
    });
    await this.play('underpaid', trackId);
    await this.becomes(id, ({ received }) => received !== '0.00');
    await this.service.control('/_sandbox/clock/advance', { seconds: 1000 });
    await this.becomes(id, ({ review }) => review !== null);
    return id;
  }

  async play(scenario: string, trackId: string): Promise<void> {
    const played = await this.service.control(`/_sandbox/scenarios/${scenario}`, { trackId });
    expect(played.status).toBeLessThan(300);
  }

  /** A callback about it that an earlier version could not read, and that this one cannot either. */
  async misread(trackId: string, status = 'Dancing'): Promise<void> {
    await this.keep(said({ id: '', trackId }, { status }), trackId, 'quarantined', 'unknown_status');
  }

  /** A callback that it is paid, which came before anybody here knew of it. */
  async unmatched(made: Made): Promise<void> {
    await this.keep(said(made, { amount: 50, value: 50 }), made.trackId, 'unmatched', 'unknown_track_id');
  }

  private async keep(
    text: string,
    subject: string,
    status: 'quarantined' | 'unmatched',
    reason: string,
  ): Promise<void> {
    const body = Buffer.from(text);
    const digest = createHash('sha256').update('callback:default\n').update(body).update('\n').digest();
    const headers = { hmac: sign(body, merchantKey), 'content-type': 'application/json' };
    const message = { id: new RandomIds().next(), digest, source: 'callback:default', subject, body, headers };
    const receivedAt = this.service.clock.now();
    await this.service.service.app.get(EventStore).recordMessage(null, { ...message, status, reason, receivedAt });
  }

  /** Waits until its webhooks have arrived or have been given up, and gives them, oldest first. */
  delivered(id: string): Promise<{ id: string; type: string }[]> {
    return until(async () => {
      const { rows } = await this.service.database.pool.query<{ id: string; type: string; status: string }>(
        'select id, type, status from webhook_delivery where payment_id = $1 order by sequence',
        [id],
      );
      const asked = rows.some(({ type }) => type === 'fulfillment.requested');
      return asked && rows.every(({ status }) => status !== 'waiting') && rows;
    }, 15_000);
  }

  private becomes(id: string, is: (payment: Record<string, unknown>) => boolean): Promise<true> {
    return until(async () => is((await this.service.api('GET', `/v1/payments/${id}`)).body) || null, 15_000);
  }
}
