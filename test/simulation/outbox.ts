import type { PoolClient } from 'pg';
import {
  atOncePerEndpoint,
  wellEndpoint,
  type AttemptRecord,
  type ClaimedDelivery,
  type DeliveryNext,
  type EndpointHealth,
  type NewWebhook,
} from '../../src/fulfillment/delivery.js';
import type { Subscriber, WebhookOutbox } from '../../src/fulfillment/webhook-outbox.pg.js';
import { msOf, type Clock, type Instant } from '../../src/kernel/clock.js';
import { txOf } from './follower.js';
import type { Life, World } from './world.js';

interface Delivery {
  id: string;
  webhook: NewWebhook;
  sequence: number;
  body: string;
  endpointId: string;
  status: 'waiting' | 'delivered' | 'dead' | 'cancelled';
  dueAt: Instant | null;
  leasedUntil: Instant | null;
  attempts: number;
  roundAttempts: number;
  roundBeganAt: Instant;
  lease: number;
  /** Whose transaction holds the row. */
  lock: Life | null;
}

interface Endpoint {
  id: string;
  applicationId: string;
  url: string;
  health: EndpointHealth;
}

/** What the planted faults of this layer switch off. */
export interface OutboxDefects {
  newIdPerAttempt: boolean;
  markedBeforeTheCall: boolean;
  unordered: boolean;
  leaseForEver: boolean;
}

/** The tables `webhook`, `webhook_delivery` and `webhook_endpoint`: one for all replicas. */
export class OutboxTables {
  readonly endpoints = new Map<string, Endpoint>();
  readonly deliveries: Delivery[] = [];
  readonly webhookIds = new Set<string>();
  readonly defects: OutboxDefects = {
    newIdPerAttempt: false,
    markedBeforeTheCall: false,
    unordered: false,
    leaseForEver: false,
  };
  changed: () => void = () => undefined;
  private readonly sequences = new Map<string, number>();

  constructor(private readonly world: World) {}

  addEndpoint(id: string, applicationId: string, url: string): void {
    this.endpoints.set(id, { id, applicationId, url, health: wellEndpoint });
  }

  insert(webhook: NewWebhook): void {
    if (this.webhookIds.has(webhook.id)) return;
    this.webhookIds.add(webhook.id);
    const sequence = (this.sequences.get(webhook.paymentId) ?? 0) + 1;
    this.sequences.set(webhook.paymentId, sequence);
    const body = webhook.body(sequence);
    const now = this.world.instant();
    for (const endpointId of webhook.endpointIds) {
      const behind = this.lane(endpointId, webhook.paymentId).length > 0;
      this.deliveries.push({
        id: `${webhook.id} ${endpointId}`,
        webhook,
        sequence,
        body,
        endpointId,
        status: 'waiting',
        dueAt: behind && !this.defects.unordered ? null : now,
        leasedUntil: null,
        attempts: 0,
        roundAttempts: 0,
        roundBeganAt: now,
        lease: 0,
        lock: null,
      });
    }
  }

  waiting(): Delivery[] {
    return this.deliveries.filter(({ status }) => status === 'waiting');
  }

  /** What waits for an endpoint of one payment, in order. */
  lane(endpointId: string, paymentId: string): Delivery[] {
    const mine = this.waiting().filter(
      (each) => each.endpointId === endpointId && each.webhook.paymentId === paymentId,
    );
    return mine.sort((a, b) => a.sequence - b.sequence);
  }

  /** Gives the first that waits its turn, where it has none yet. */
  promote(endpointId: string, paymentId: string, now: Instant): void {
    const [first] = this.lane(endpointId, paymentId);
    if (first?.dueAt !== null) return;
    const free = first.leasedUntil !== null && first.leasedUntil > now ? first.leasedUntil : now;
    first.dueAt = later(earlier(now, this.world.instant()), free);
    if (first.roundAttempts === 0) first.roundBeganAt = earlier(now, this.world.instant());
  }

  nextDue(): number | null {
    let next: number | null = null;
    for (const { status, dueAt, endpointId } of this.deliveries) {
      if (status !== 'waiting' || dueAt === null) continue;
      const { pausedUntil = null } = this.endpoints.get(endpointId)?.health ?? {};
      const due = Math.max(msOf(dueAt), pausedUntil === null ? 0 : msOf(pausedUntil));
      if (next === null || due < next) next = due;
    }
    return next;
  }
}

type Public = Pick<WebhookOutbox, keyof WebhookOutbox>;

/** The same promises as `webhook-outbox.pg.ts` makes. */
export class OutboxClient implements Public {
  constructor(
    private readonly world: World,
    private readonly tables: OutboxTables,
    private readonly life: Life,
    private readonly clock: Clock,
  ) {}

  async subscribers(_tx: PoolClient, applicationIds: readonly string[]): Promise<Map<string, Subscriber[]>> {
    const found = new Map<string, Subscriber[]>();
    for (const { id, applicationId } of this.tables.endpoints.values())
      if (applicationIds.includes(applicationId))
        found.set(applicationId, [...(found.get(applicationId) ?? []), { id, events: null }]);
    return Promise.resolve(found);
  }

  async add(tx: PoolClient, webhooks: readonly NewWebhook[]): Promise<void> {
    // The checkpoint's lock makes this the only writer, so the numbers can be given at the commit.
    txOf(tx).write(() => {
      for (const webhook of webhooks) this.tables.insert(webhook);
      this.tables.changed();
    });
    await Promise.resolve();
  }

  async claim(now: Instant, leaseUntil: Instant, room: number): Promise<ClaimedDelivery[]> {
    await this.world.io(this.life, 'outbox.claim.before');
    this.reach();
    const claimed: ClaimedDelivery[] = [];
    for (const endpointId of new Set(this.tables.waiting().map((each) => each.endpointId)))
      claimed.push(...this.claimFor(endpointId, now, leaseUntil, room - claimed.length));
    this.tables.changed();
    await this.world.io(this.life, 'outbox.claim.after');
    return claimed;
  }

  async finish(
    delivery: ClaimedDelivery,
    attempt: AttemptRecord | null,
    next: DeliveryNext,
    health: EndpointHealth,
    { whenLast, whenTended }: { whenLast?: () => Promise<void>; whenTended?: () => Promise<void> } = {},
  ): Promise<boolean> {
    await this.world.io(this.life, 'outbox.finish.before');
    this.reach();
    const row = this.tables.deliveries.find(({ id }) => id === delivery.id);
    const held = row?.lease === delivery.lease && (row.status === 'waiting' || row.status === 'cancelled');
    if (!held) return false;
    row.lock = this.life;
    try {
      if (next.status === 'dead' && this.isLast(row)) await whenLast?.();
      if (attempt !== null && (health.failures > 0 || delivery.health.failures > 0)) await whenTended?.();
      this.record(row, delivery, attempt, next, health);
    } finally {
      row.lock = null;
    }
    await this.world.io(this.life, 'outbox.finish.after');
    if (this.world.strikes('outbox.answer_lost')) throw new Error('the answer was lost');
    return true;
  }

  async cancel(tx: PoolClient, webhookId: string, now: Instant): Promise<void> {
    txOf(tx).write(() => {
      for (const each of this.tables.deliveries.filter(({ status }) => status === 'waiting' || status === 'dead')) {
        if (each.webhook.id !== webhookId) continue;
        const { leasedUntil: held } = each;
        Object.assign(each, { status: 'cancelled', dueAt: null });
        this.tables.promote(each.endpointId, each.webhook.paymentId, held !== null && held > now ? held : now);
      }
      this.tables.changed();
    });
    await Promise.resolve();
  }

  async resume(tx: PoolClient, webhookId: string, now: Instant): Promise<void> {
    txOf(tx).write(() => {
      for (const each of this.tables.deliveries) {
        if (each.webhook.id !== webhookId || each.status !== 'cancelled') continue;
        Object.assign(each, { status: 'waiting', roundAttempts: 0, roundBeganAt: now });
        for (const behind of this.tables.lane(each.endpointId, each.webhook.paymentId))
          if (behind.sequence > each.sequence && !(behind.leasedUntil !== null && behind.leasedUntil > now))
            behind.dueAt = null;
        this.tables.promote(each.endpointId, each.webhook.paymentId, now);
      }
      this.tables.changed();
    });
    await Promise.resolve();
  }

  private claimFor(endpointId: string, now: Instant, leaseUntil: Instant, room: number): ClaimedDelivery[] {
    const endpoint = this.tables.endpoints.get(endpointId);
    const usable = endpoint?.health.disabled === null ? endpoint : null;
    if (usable && usable.health.pausedUntil !== null && usable.health.pausedUntil > now) return [];
    const mine = this.tables.deliveries.filter((each) => each.endpointId === endpointId);
    const busy = mine.filter(({ leasedUntil }) => leasedUntil !== null && leasedUntil > now).length;
    const failing = usable !== null && usable.health.failingSince !== null;
    const most = Math.min(room, (failing ? 1 : atOncePerEndpoint) - busy);
    const free = mine.filter(
      ({ status, dueAt, lock }) => status === 'waiting' && dueAt !== null && dueAt <= now && (lock?.dead ?? true),
    );
    const taken = free.sort((a, b) => ((a.dueAt ?? '') < (b.dueAt ?? '') ? -1 : 1)).slice(0, Math.max(0, most));
    const claimed = taken.map((row) => this.take(row, usable, leaseUntil));
    if (failing && taken.length > 0) usable.health = { ...usable.health, pausedUntil: leaseUntil };
    return claimed;
  }

  private take(row: Delivery, endpoint: Endpoint | null, leaseUntil: Instant): ClaimedDelivery {
    const { webhook, sequence, body, endpointId } = row;
    const { defects } = this.tables;
    const until = defects.leaseForEver ? '9999-12-31T23:59:59.999Z' : leaseUntil;
    Object.assign(row, { dueAt: until, leasedUntil: until, lease: row.lease + 1 });
    if (defects.markedBeforeTheCall) {
      Object.assign(row, { status: 'delivered', dueAt: null });
      this.tables.promote(endpointId, webhook.paymentId, this.clock.now());
    }
    return {
      id: row.id,
      webhookId: defects.newIdPerAttempt ? `${webhook.id}-${String(row.attempts)}` : webhook.id,
      endpointId,
      applicationId: webhook.applicationId,
      paymentId: webhook.paymentId,
      sequence,
      type: webhook.type,
      correlationId: webhook.correlationId,
      toldAt: webhook.createdAt,
      body,
      attempt: row.attempts + 1,
      roundAttempt: row.roundAttempts + 1,
      roundBeganAt: row.roundBeganAt,
      lease: row.lease,
      target: endpoint && { url: endpoint.url, secrets: [] },
      health: endpoint?.health ?? wellEndpoint,
    };
  }

  private isLast({ webhook, id }: Delivery): boolean {
    return !this.tables.deliveries.some(
      (each) =>
        each.webhook === webhook && each.id !== id && (each.status === 'waiting' || each.status === 'delivered'),
    );
  }

  private record(
    row: Delivery,
    { endpointId, health: before }: ClaimedDelivery,
    attempt: AttemptRecord | null,
    next: DeliveryNext,
    health: EndpointHealth,
  ): void {
    const now = this.clock.now();
    const { paymentId } = row.webhook;
    const made = attempt === null ? 0 : 1;
    if (row.status === 'waiting' || next.status === 'delivered') row.status = next.status;
    const isFirst = this.tables.lane(endpointId, paymentId)[0] === row;
    row.dueAt = next.status === 'waiting' && row.status === 'waiting' && isFirst ? next.dueAt : null;
    row.leasedUntil = null;
    row.attempts += made;
    row.roundAttempts += made;
    this.tables.promote(endpointId, paymentId, now);
    if (made > 0) this.tend(endpointId, before, health, now);
    this.tables.changed();
  }

  private tend(endpointId: string, before: EndpointHealth, health: EndpointHealth, now: Instant): void {
    const endpoint = this.tables.endpoints.get(endpointId);
    if (!endpoint || (health.failures === 0 && before.failures === 0)) return;
    if (health.recovered || health.disabled !== null)
      for (const each of this.tables.waiting())
        if (
          each.endpointId === endpointId &&
          each.dueAt !== null &&
          each.dueAt > now &&
          !((each.leasedUntil ?? '') > now)
        )
          each.dueAt = now;
    const { failures, failingSince, disabled } = endpoint.health;
    const unseen = failures === before.failures && failingSince === before.failingSince;
    if (disabled === null && (health.failures === 0 || unseen)) endpoint.health = { ...health, recovered: false };
  }

  private reach(): void {
    if (this.world.during('store.down') || this.world.strikes('outbox.failed'))
      throw new Error('the database is out of reach');
  }
}

const earlier = (a: Instant, b: Instant): Instant => (a < b ? a : b);
const later = (a: Instant, b: Instant): Instant => (a > b ? a : b);
