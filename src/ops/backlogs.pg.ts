import type { Pool } from 'pg';
import { addMinutes, type Instant } from '../kernel/clock.js';
import { LogReader } from '../platform/event-store/log-reader.pg.js';
import { openWriters } from '../platform/event-store/open-writers.pg.js';

/** What one gauge shows; null where there is nothing to show, so that the series is absent. */
export interface Reading {
  gauge: string;
  labels?: Readonly<Record<string, string>>;
  value: number | null;
}

/** Something that waits in the database, and the gauges that tell of it. */
export interface Backlog {
  name: string;
  gauges: readonly { name: string; help: string; labels: readonly string[] }[];
  /** `now` is the service's; bounded by the statement time-out of the pool. */
  read(pool: Pool, now: Instant): Promise<Reading[]>;
}

/** Where more than this waits, it is not counted any further. */
const countedUpTo = 10_000;
const seconds = (column: string): string => `extract(epoch from ${column})::float8`;

/** A payment that is past its deadline and this grace should have its final word. */
const graceMinutes = 5;

const payments: Backlog = {
  name: 'payments',
  gauges: [
    { name: 'finality_payments_open', help: 'Payments that have not ended and are looked up', labels: ['status'] },
    {
      name: 'finality_payments_overdue',
      help: 'Payments without a final word 5 minutes after their deadline that no person was asked about, by whether money was seen',
      labels: ['money'],
    },
    {
      name: 'finality_payments_oldest_opening_timestamp_seconds',
      help: 'When the oldest payment was asked for whose invoice is not open yet',
      labels: [],
    },
  ],
  async read(pool, now) {
    // Every payment that may still change has a look, so that none of those that are over is read.
    const text = `select count(*) filter (where p.status = 'created')::int as created,
        count(*) filter (where p.status = 'pending')::int as pending,
        count(*) filter (where late and not touched)::int as untouched, count(*) filter (where late and touched)::int as touched,
        ${seconds(`min(p.created_at) filter (where p.status = 'created')`)} as opening
      from look l join payment_view p on p.payment_id = l.stream_id
      cross join lateral (select l.deadline < $1 and p.review <> 'open' as late,
        p.received is null or p.received > 0 as touched) state
      where p.status in ('created', 'pending')`;
    const { rows } = await pool.query<Record<'created' | 'pending' | 'untouched' | 'touched' | 'opening', number>>(
      text,
      [addMinutes(now, -graceMinutes)],
    );
    const [row] = rows;
    if (!row) return [];
    return [
      { gauge: 'finality_payments_open', labels: { status: 'created' }, value: row.created },
      { gauge: 'finality_payments_open', labels: { status: 'pending' }, value: row.pending },
      { gauge: 'finality_payments_overdue', labels: { money: 'none' }, value: row.untouched },
      { gauge: 'finality_payments_overdue', labels: { money: 'seen' }, value: row.touched },
      { gauge: 'finality_payments_oldest_opening_timestamp_seconds', value: row.opening },
    ];
  },
};

const endpointStates = ['well', 'failing', 'disabled'] as const;
const endpointState = `case when e.id is null or e.disabled_at is not null then 'disabled'
  when e.failing_since is not null then 'failing' else 'well' end`;

interface WebhookRow {
  endpoint: string;
  pending: number;
  oldest: number;
  due: number | null;
}

const webhooks: Backlog = {
  name: 'webhooks',
  gauges: [
    {
      name: 'finality_webhooks_pending',
      help: 'Webhooks on their way to an endpoint, whatever their state, by how the endpoint fares',
      labels: ['endpoint'],
    },
    {
      name: 'finality_webhook_oldest_undelivered_timestamp_seconds',
      help: 'Since when the oldest webhook waits that was not delivered, whatever its state; one that is sent again waits since then',
      labels: ['endpoint'],
    },
    {
      name: 'finality_webhook_oldest_due_timestamp_seconds',
      help: 'Since when the oldest webhook is due that nobody attempts',
      labels: ['endpoint'],
    },
  ],
  async read(pool, now) {
    const text = `select ${endpointState} as endpoint, sum(pending)::int as pending, ${seconds('min(oldest)')} as oldest,
        ${seconds('min(due)')} as due
      from (select endpoint_id, count(*) as pending,
          min(case when attempts > round_attempts then round_began_at else created_at end) as oldest,
          min(due_at) filter (where due_at <= $1) as due
        from webhook_delivery where status = 'waiting' group by endpoint_id) d
      left join webhook_endpoint e on e.id = d.endpoint_id group by 1`;
    const { rows } = await pool.query<WebhookRow>(text, [now]);
    return endpointStates.flatMap((endpoint): Reading[] => {
      const row = rows.find((each) => each.endpoint === endpoint);
      const labels = { endpoint };
      return [
        { gauge: 'finality_webhooks_pending', labels, value: row?.pending ?? 0 },
        { gauge: 'finality_webhook_oldest_undelivered_timestamp_seconds', labels, value: row?.oldest ?? null },
        { gauge: 'finality_webhook_oldest_due_timestamp_seconds', labels, value: row?.due ?? null },
      ];
    });
  },
};

const endpoints: Backlog = {
  name: 'endpoints',
  gauges: [{ name: 'finality_webhook_endpoints', help: 'Webhook endpoints, by how they fare', labels: ['state'] }],
  async read(pool) {
    const text = `select ${endpointState} as state, count(*)::int as count from webhook_endpoint e group by 1`;
    const { rows } = await pool.query<{ state: string; count: number }>(text);
    return endpointStates.map((state) => ({
      gauge: 'finality_webhook_endpoints',
      labels: { state },
      value: rows.find((row) => row.state === state)?.count ?? 0,
    }));
  },
};

const deadLetters: Backlog = {
  name: 'dead_letters',
  gauges: [
    {
      name: 'finality_webhook_dead_letters',
      help: 'Webhooks that were given up in the last 7 days and not sent again, 10000 at most',
      labels: [],
    },
  ],
  async read(pool, now) {
    const text = `select count(*)::int as count from (select from webhook_delivery
      where status = 'dead' and ended_at > $1::timestamptz - interval '7 days' limit $2) d`;
    const { rows } = await pool.query<{ count: number }>(text, [now, countedUpTo]);
    return [{ gauge: 'finality_webhook_dead_letters', value: rows[0]?.count ?? 0 }];
  },
};

const inboxSources = ['callback', 'poll'] as const;
const inboxStatuses = ['unmatched', 'quarantined'] as const;

const inbox: Backlog = {
  name: 'inbox',
  gauges: [
    {
      name: 'finality_inbox_open',
      help: 'Evidence that no payment accounts for, by where it came from and why',
      labels: ['source', 'status'],
    },
    {
      name: 'finality_inbox_oldest_timestamp_seconds',
      help: 'When the oldest evidence came that no payment accounts for',
      labels: ['source', 'status'],
    },
  ],
  async read(pool) {
    const text = `select split_part(source, ':', 1) as source, status, count(*)::int as count,
        ${seconds('min(received_at)')} as oldest
      from inbox where status in ('unmatched', 'quarantined') group by 1, 2`;
    const { rows } = await pool.query<{ source: string; status: string; count: number; oldest: number }>(text);
    return inboxSources.flatMap((source) =>
      inboxStatuses.flatMap((status): Reading[] => {
        const row = rows.find((each) => each.source === source && each.status === status);
        const labels = { source, status };
        return [
          { gauge: 'finality_inbox_open', labels, value: row?.count ?? 0 },
          { gauge: 'finality_inbox_oldest_timestamp_seconds', labels, value: row?.oldest ?? null },
        ];
      }),
    );
  },
};

const reviews: Backlog = {
  name: 'reviews',
  gauges: [
    { name: 'finality_reviews_open', help: 'Payments that wait for a person', labels: [] },
    {
      name: 'finality_review_oldest_timestamp_seconds',
      help: 'Since when the oldest of the payments waits for a person',
      labels: [],
    },
  ],
  async read(pool) {
    const opened = `(state->'payment'->'money'->'review'->>'openedAt')::timestamptz`;
    const text = `select count(*)::int as count, ${seconds(`min(${opened})`)} as oldest from payment_view where review = 'open'`;
    const { rows } = await pool.query<{ count: number; oldest: number | null }>(text);
    return [
      { gauge: 'finality_reviews_open', value: rows[0]?.count ?? 0 },
      { gauge: 'finality_review_oldest_timestamp_seconds', value: rows[0]?.oldest ?? null },
    ];
  },
};

const looks: Backlog = {
  name: 'looks',
  gauges: [
    { name: 'finality_looks_due', help: 'Payments whose look at the gateway is due, 10000 at most', labels: [] },
    {
      name: 'finality_looks_oldest_due_timestamp_seconds',
      help: 'Since when the oldest look at the gateway is due',
      labels: [],
    },
  ],
  async read(pool, now) {
    const oldest = (urgent: string): string =>
      `(select due_at from look where ${urgent} and due_at <= $1 order by due_at limit 1)`;
    const text = `select (select count(*)::int from (select from look where due_at <= $1 limit $2) d) as due,
      ${seconds(`least(${oldest('urgent')}, ${oldest('not urgent')})`)} as oldest`;
    const { rows } = await pool.query<{ due: number; oldest: number | null }>(text, [now, countedUpTo]);
    return [
      { gauge: 'finality_looks_due', value: rows[0]?.due ?? 0 },
      { gauge: 'finality_looks_oldest_due_timestamp_seconds', value: rows[0]?.oldest ?? null },
    ];
  },
};

const followersAtMost = 40;

interface FollowerRow {
  follower: string;
  behind: number;
  pending: number | null;
  applied: number | null;
  stopped: number;
  failures: number;
}

const followerGauges = {
  behind: 'finality_follower_lag_events',
  pending: 'finality_follower_oldest_pending_timestamp_seconds',
  applied: 'finality_follower_last_applied_timestamp_seconds',
  stopped: 'finality_follower_stopped',
  failures: 'finality_follower_failed_tries',
} as const;

const followers: Backlog = {
  name: 'followers',
  gauges: [
    {
      name: followerGauges.behind,
      help: 'Events that a follower of the log has not applied yet; beyond 10000 an upper bound',
      labels: ['follower'],
    },
    {
      name: followerGauges.pending,
      help: 'When the oldest event was recorded that a follower has not applied yet',
      labels: ['follower'],
    },
    {
      name: followerGauges.applied,
      help: 'When a follower last applied events; absent while it fails',
      labels: ['follower'],
    },
    {
      name: followerGauges.stopped,
      help: 'Whether a follower is stopped by an event that it cannot apply',
      labels: ['follower'],
    },
    {
      name: followerGauges.failures,
      help: 'Failed tries of the event that a follower has to apply next',
      labels: ['follower'],
    },
  ],
  async read(pool) {
    const watermark = await new LogReader(pool).watermark();
    // Positions that no event has are passed only with the next event: what is behind is counted, not subtracted.
    const ahead = 'from event e where e.position > s.position and e.position <= $1';
    const text = `select name as follower, (error is not null)::int as stopped, failures,
        case when failures = 0 then ${seconds('updated_at')} end as applied,
        case when $1 - s.position > $2 then $1 - s.position else (select count(*) ${ahead}) end as behind,
        (select ${seconds('e.recorded_at')} ${ahead} order by e.position limit 1) as pending
      from subscription s order by name limit ${String(followersAtMost)}`;
    const { rows } = await pool.query<FollowerRow>(text, [watermark, countedUpTo]);
    return rows.flatMap((row) => {
      const labels = { follower: row.follower };
      return [
        { gauge: followerGauges.behind, labels, value: row.behind },
        { gauge: followerGauges.pending, labels, value: row.pending },
        { gauge: followerGauges.applied, labels, value: row.applied },
        { gauge: followerGauges.stopped, labels, value: row.stopped },
        { gauge: followerGauges.failures, labels, value: row.failures },
      ];
    });
  },
};

const writers: Backlog = {
  name: 'writers',
  gauges: [
    {
      name: 'finality_log_oldest_open_write_timestamp_seconds',
      help: 'Since when the oldest transaction is open that writes to the log: nobody reads past it',
      labels: [],
    },
  ],
  async read(pool) {
    const [oldest] = await openWriters(pool, 1);
    const value = oldest ? Date.now() / 1000 - oldest.seconds : null;
    return [{ gauge: 'finality_log_oldest_open_write_timestamp_seconds', value }];
  },
};

const jobs: Backlog = {
  name: 'jobs',
  gauges: [
    { name: 'finality_jobs', help: 'Jobs, by whether they are still tried or were given up', labels: ['state'] },
    {
      name: 'finality_jobs_oldest_due_timestamp_seconds',
      help: 'Since when the oldest job is due that nobody works on',
      labels: [],
    },
  ],
  async read(pool) {
    const text = `select count(*) filter (where attempts < max_attempts)::int as waiting,
        count(*) filter (where attempts >= max_attempts)::int as given_up,
        ${seconds('min(run_at) filter (where run_at < now() and locked_at is null and attempts < max_attempts)')} as oldest
      from graphile_worker.jobs`;
    const { rows } = await pool.query<{ waiting: number; given_up: number; oldest: number | null }>(text);
    const [row] = rows;
    return [
      { gauge: 'finality_jobs', labels: { state: 'waiting' }, value: row?.waiting ?? 0 },
      { gauge: 'finality_jobs', labels: { state: 'given_up' }, value: row?.given_up ?? 0 },
      { gauge: 'finality_jobs_oldest_due_timestamp_seconds', value: row?.oldest ?? null },
    ];
  },
};

const server: Backlog = {
  name: 'server',
  gauges: [
    { name: 'finality_database_size_bytes', help: 'What the database takes on its disk', labels: [] },
    { name: 'finality_database_connections', help: 'Connections of all clients to the database server', labels: [] },
    { name: 'finality_database_connections_max', help: 'Connections that the database server allows', labels: [] },
  ],
  async read(pool) {
    const text = `select pg_database_size(current_database()) as size, current_setting('max_connections')::int as most,
      (select count(*)::int from pg_stat_activity where backend_type = 'client backend') as used`;
    const { rows } = await pool.query<{ size: number; most: number; used: number }>(text);
    const [row] = rows;
    return [
      { gauge: 'finality_database_size_bytes', value: row?.size ?? null },
      { gauge: 'finality_database_connections', value: row?.used ?? null },
      { gauge: 'finality_database_connections_max', value: row?.most ?? null },
    ];
  },
};

/** All that is read at a scrape. */
export const backlogs: readonly Backlog[] = [
  payments,
  webhooks,
  endpoints,
  deadLetters,
  inbox,
  reviews,
  looks,
  followers,
  writers,
  jobs,
  server,
];
