import { Inject, Injectable } from '@nestjs/common';
import type { Pool } from 'pg';
import type { Instant } from '../kernel/clock.js';
import { DatabasePool } from '../platform/database/pool.pg.js';
import type { MatchKind, Sought } from './console-search.js';

/** A payment that was found, and by what. */
export interface Found {
  paymentId: string;
  matched: MatchKind[];
  application: string | null;
  orderId: string;
  status: string;
  review: string;
  amount: string;
  currency: string;
  createdAt: Instant;
}

/* Each is a probe of one index that gives its newest $limit payments, so that an answer costs what it shows. */
const older = '($5::uuid is null or payment_id < $5)';
const newest = `and ${older} order by payment_id desc limit $6`;
const exactSources: readonly string[] = [
  `select 'payment' as kind, payment_id from payment_view where payment_id = $1::uuid ${newest}`,
  `select 'order', payment_id from payment_view where order_id collate "C" = $2 ${newest}`,
  `select 'track', payment_id from payment_view where track_id is not null and track_id = $2 ${newest}`,
  `select 'customer', payment_id from payment_view where customer_id is not null and customer_id collate "C" = $2 ${newest}`,
  `select 'email', payment_id from payment_view where email is not null and lower(email) collate "C" = $3 ${newest}`,
  `select kind, payment_id from payment_trace where value = any($4::text[]) ${newest}`,
];

const from = (column: string, at: string): string => `${column} >= ${at} and ${column} < ${at} || U&'\\+10FFFF'`;
const beginningSources: readonly string[] = [
  `select 'order' as kind, payment_id from payment_view where ${from('order_id collate "C"', '$1::text')}
    order by order_id collate "C", payment_id limit $4`,
  `select 'customer', payment_id from payment_view where customer_id is not null and ${from('customer_id collate "C"', '$1::text')}
    order by customer_id collate "C", payment_id limit $4`,
  `select 'email', payment_id from payment_view where email is not null and ${from('lower(email) collate "C"', '$2::text')}
    order by lower(email) collate "C", payment_id limit $4`,
  `select t.kind, t.payment_id from unnest($3::text[]) beginning cross join lateral (select kind, payment_id from payment_trace
    where ${from('value', 'beginning')} order by value, payment_id limit $4) t`,
];

const described = (sources: readonly string[], limit: string): string => `
  select p.payment_id, array_agg(distinct hit.kind) as matched, a.name as application, p.order_id, p.status, p.review, p.amount,
    p.currency, p.created_at
  from (${sources.map((source) => `(${source})`).join(' union all ')}) hit
  join payment_view p using (payment_id) left join application a on a.id = p.application_id
  group by p.payment_id, a.name order by p.payment_id desc limit ${limit}`;

const exact = described(exactSources, '$6');
const beginning = described(beginningSources, '$4');

interface Row {
  payment_id: string;
  matched: MatchKind[];
  application: string | null;
  order_id: string;
  status: string;
  review: string;
  amount: string;
  currency: string;
  created_at: Instant;
}

/** Finds payments of all applications by what people have in their hands. */
@Injectable()
export class ConsoleSearch {
  constructor(@Inject(DatabasePool) private readonly pool: Pool) {}

  /** Whatever is exactly this, newest first, and one more than `limit` where there are more. `before` is the last id of the page before. */
  async exactly(sought: Sought, page: { before: string | null; limit: number }): Promise<Found[]> {
    const { text, paymentId, traces, email } = sought;
    const values = [paymentId, text, email, traces, page.before, page.limit + 1];
    return (await this.pool.query<Row>(exact, values)).rows.map(foundOf);
  }

  /** Some of those that begin so, and one more than `limit` where there are more. */
  async beginningWith({ text, traceBeginnings, email }: Sought, limit: number): Promise<Found[]> {
    const values = [text, email, traceBeginnings, limit + 1];
    return (await this.pool.query<Row>(beginning, values)).rows.map(foundOf);
  }
}

const foundOf = ({ payment_id, order_id, created_at, ...row }: Row): Found => ({
  ...row,
  paymentId: payment_id,
  orderId: order_id,
  createdAt: created_at,
});
