import { msOf, type Instant } from '../../src/kernel/clock.js';
import type { ClaimedLook, Look, Looks } from '../../src/payments/looks.pg.js';
import type { PoolClient } from 'pg';
import { txOf } from './follower.js';
import type { Life, World } from './world.js';

interface Row {
  dueAt: Instant;
  urgent: boolean;
  createdAt: Instant | null;
  deadline: Instant | null;
}

/** What the planted faults of this layer switch off. */
interface LookDefects {
  leaseForEver: boolean;
}

/** The table `look`: one for all replicas. */
export class LookTable {
  readonly rows = new Map<string, Row>();
  readonly defects: LookDefects = { leaseForEver: false };
  /** Those that somebody has claimed, where a claim never ends. */
  readonly stuck = new Set<string>();
  /** Told of each change, so that replicas look when something falls due. */
  changed: () => void = () => undefined;

  nextDue(): number | null {
    let next: number | null = null;
    for (const [id, { dueAt }] of this.rows) {
      if (this.stuck.has(id)) continue;
      const due = msOf(dueAt);
      if (next === null || due < next) next = due;
    }
    return next;
  }
}

type Public = Pick<Looks, keyof Looks>;

/** The same rules as the statements of `looks.pg.ts`. */
export class LookClient implements Public {
  constructor(
    private readonly world: World,
    private readonly table: LookTable,
    private readonly life: Life,
  ) {}

  async schedule(tx: PoolClient, looks: ReadonlyMap<string, Look | null>): Promise<void> {
    const { rows } = this.table;
    txOf(tx).write(() => {
      for (const [id, look] of looks) {
        const row = rows.get(id);
        if (look === null) rows.delete(id);
        else if (row === undefined) rows.set(id, { ...unknown, dueAt: look.at, urgent: look.urgent, ...datesOf(look) });
        else {
          row.dueAt = row.urgent ? earlier(row.dueAt, look.at) : look.at;
          row.urgent ||= look.urgent;
          row.createdAt ??= look.createdAt ?? null;
          row.deadline = look.deadline ?? row.deadline;
        }
      }
      this.table.changed();
    });
    await Promise.resolve();
  }

  async dueNow(id: string, now: Instant): Promise<void> {
    await this.world.io(this.life, 'looks.now.before');
    this.reach();
    const row = this.table.rows.get(id);
    this.table.rows.set(id, { ...(row ?? unknown), dueAt: row ? earlier(row.dueAt, now) : now, urgent: true });
    this.table.changed();
    await this.world.io(this.life, 'looks.now.after');
  }

  async someDueNow(now: Instant): Promise<void> {
    await this.world.io(this.life, 'looks.now.before');
    this.reach();
    const later = [...this.table.rows.values()].filter(({ dueAt }) => dueAt > now).sort(byDue);
    for (const row of later.slice(0, 200)) row.dueAt = now;
    this.table.changed();
    await this.world.io(this.life, 'looks.now.after');
  }

  async countDue(now: Instant, atMost: number): Promise<number> {
    await this.world.io(this.life, 'looks.claim.before');
    this.reach();
    return Math.min(atMost, [...this.table.rows.values()].filter(({ dueAt }) => dueAt <= now).length);
  }

  async claim(now: Instant, leaseUntil: Instant, limit: number): Promise<ClaimedLook[]> {
    await this.world.io(this.life, 'looks.claim.before');
    this.reach();
    const due = [...this.table.rows].filter(([id, { dueAt }]) => dueAt <= now && !this.table.stuck.has(id));
    const distance = ({ deadline }: Row): number => Math.abs(msOf(deadline ?? now) - msOf(now));
    due.sort(([, a], [, b]) => Number(b.urgent) - Number(a.urgent) || distance(a) - distance(b) || byDue(a, b));
    const taken = due.slice(0, limit);
    for (const [id, row] of taken) {
      row.dueAt = leaseUntil;
      if (this.table.defects.leaseForEver) this.table.stuck.add(id);
    }
    this.table.changed();
    await this.world.io(this.life, 'looks.claim.after');
    return taken.map(([id, { createdAt }]) => ({ id, createdAt }));
  }

  async extend(ids: readonly string[], lease: Instant, until: Instant): Promise<void> {
    await this.change('looks.extend.before', () => {
      for (const id of ids) {
        const row = this.table.rows.get(id);
        this.table.stuck.delete(id);
        if (row?.dueAt === lease) row.dueAt = until;
      }
    });
  }

  async done(next: ReadonlyMap<string, Instant | null>, lease: Instant): Promise<void> {
    await this.change('looks.done.before', () => this.set(next, ({ dueAt }) => dueAt === lease));
    await this.world.io(this.life, 'looks.done.after');
  }

  async seen(next: ReadonlyMap<string, Instant | null>, now: Instant): Promise<void> {
    await this.change('looks.seen.before', () => this.set(next, ({ dueAt, urgent }) => dueAt > now && !urgent));
  }

  private set(next: ReadonlyMap<string, Instant | null>, where: (row: Row) => boolean): void {
    for (const [id, due] of next) {
      const row = this.table.rows.get(id);
      this.table.stuck.delete(id);
      if (row === undefined || !where(row)) continue;
      if (due === null) this.table.rows.delete(id);
      else Object.assign(row, { dueAt: due, urgent: false });
    }
  }

  private async change(
    point: 'looks.done.before' | 'looks.seen.before' | 'looks.extend.before',
    change: () => void,
  ): Promise<void> {
    await this.world.io(this.life, point);
    this.reach();
    change();
    this.table.changed();
  }

  private reach(): void {
    if (this.world.during('store.down') || this.world.strikes('looks.failed'))
      throw new Error('the database is out of reach');
  }
}

const unknown: Pick<Row, 'createdAt' | 'deadline'> = { createdAt: null, deadline: null };
const datesOf = ({ createdAt, deadline }: Look): Pick<Row, 'createdAt' | 'deadline'> => ({
  createdAt: createdAt ?? null,
  deadline: deadline ?? null,
});
const earlier = (a: Instant, b: Instant): Instant => (a < b ? a : b);
const byDue = (a: Row, b: Row): number => (a.dueAt < b.dueAt ? -1 : a.dueAt > b.dueAt ? 1 : 0);
