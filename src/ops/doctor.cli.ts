import { LogReader } from '../platform/event-store/log-reader.pg.js';
import { openWriters } from '../platform/event-store/open-writers.pg.js';
import type { Report } from './command.cli.js';
import { checkpoints, match, verification } from './book-checks.cli.js';
import { dataDiskOf } from './data-disk.pg.js';
import { fail, ok, warn, type Check, type Finding } from './finding.js';
import type { Workspace } from './workspace.pg.js';

/** Checks configuration, database, gateway, clocks and backlog. It changes nothing. */
export async function doctor(workspace: Workspace): Promise<Report> {
  const findings: Finding[] = [];
  for (const [check, look] of looksAt) {
    try {
      findings.push(...(await look(workspace)));
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      findings.push(fail(check, detail, 'Look at the database and its log.'));
    }
  }
  const mark = { ok: 'ok  ', warn: 'WARN', fail: 'FAIL' } as const;
  const lines = findings.flatMap(({ check, status, detail, advice }) => [
    `${mark[status]}  ${check.padEnd(14)} ${detail}`,
    ...(advice === null ? [] : [`      ${''.padEnd(14)} → ${advice}`]),
  ]);
  return { ok: findings.every(({ status }) => status !== 'fail'), json: findings, text: lines.join('\n') };
}

function configuration({ config, env }: Workspace): Promise<Finding[]> {
  const found = [ok('configuration', `gateway ${config.gateway}, public address ${config.publicUrl}`)];
  if (config.gateway === 'oxapay' && !config.publicUrl.startsWith('https://')) {
    found.push(fail('public URL', 'is not https', 'Set PUBLIC_URL to an https address: the gateway calls no other.'));
  }
  if (config.gateway === 'oxapay' && env['DATABASE_URL'] === undefined) {
    found.push(
      warn(
        'database',
        'real payments on the embedded PostgreSQL',
        'Set DATABASE_URL to a PostgreSQL that is backed up.',
      ),
    );
  }
  return Promise.resolve(found);
}

async function server({ pool }: Workspace): Promise<Finding[]> {
  const { rows } = await pool.query<{
    version: string;
    number: number;
    fsync: string;
    commit: string;
    writes: string;
    standby: boolean;
  }>(
    `select current_setting('server_version') as version, current_setting('server_version_num')::int as number, current_setting('fsync') as fsync,
       current_setting('synchronous_commit') as commit, current_setting('full_page_writes') as writes, pg_is_in_recovery() as standby`,
  );
  const [row] = rows;
  if (!row) return [];
  const found = [
    row.number >= 150_000
      ? ok('database', `PostgreSQL ${row.version}`)
      : fail('database', `PostgreSQL ${row.version}`, 'Use PostgreSQL 15 or later.'),
  ];
  const durable = row.fsync === 'on' && row.commit !== 'off' && row.writes === 'on';
  found.push(
    durable
      ? ok('durability', `fsync on, synchronous_commit ${row.commit}`)
      : fail(
          'durability',
          `fsync ${row.fsync}, synchronous_commit ${row.commit}, full_page_writes ${row.writes}`,
          'Turn all three on: an acknowledged callback could be lost.',
        ),
  );
  if (row.standby) found.push(fail('database', 'is a read-only standby', 'Point DATABASE_URL at the primary.'));
  return found;
}

const crowdedFrom = 0.8;

/** A server that has none left refuses the next process, or this one the next time it needs more. */
async function connections({ pool }: Workspace): Promise<Finding[]> {
  const { rows } = await pool.query<{ used: number; most: number }>(
    `select count(*)::int as used, current_setting('max_connections')::int as most from pg_stat_activity
     where backend_type = 'client backend'`,
  );
  const { used = 0, most = 0 } = rows[0] ?? {};
  const text = `${String(used)} of ${String(most)} in use`;
  return [
    used < most * crowdedFrom
      ? ok('connections', text)
      : warn('connections', text, 'Raise max_connections of PostgreSQL: each process of Finality may take some 45.'),
  ];
}

const tightBelow = 0.2;
const fullBelow = 0.1;

/** Only the embedded database's disk can be seen from here. */
async function disk({ config, env }: Workspace): Promise<Finding[]> {
  const found = env['DATABASE_URL'] === undefined ? await dataDiskOf(config.dataDir) : null;
  if (found === null) return [];
  const left = found.freeBytes / found.sizeBytes;
  const text = `${(found.freeBytes / 1e9).toFixed(1)} GB free (${(left * 100).toFixed(0)} %) where DATA_DIR is`;
  const advice = 'Make room, or move DATA_DIR while the service is stopped: without any, nothing can be stored.';
  if (left < fullBelow) return [fail('disk', text, advice)];
  return [left < tightBelow ? warn('disk', text, advice) : ok('disk', text)];
}

async function clocks({ pool }: Workspace): Promise<Finding[]> {
  const before = process.hrtime.bigint();
  const { rows } = await pool.query<{ ms: string }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::bigint::text as ms',
  );
  const tripMs = Number((process.hrtime.bigint() - before) / 1_000_000n);
  const apartMs = Math.abs(Number(rows[0]?.ms ?? 0) - performance.timeOrigin - performance.now());
  const text = `this machine and the database are ${String(Math.max(0, Math.round(apartMs - tripMs)))} ms apart`;
  return [apartMs - tripMs < 5000 ? ok('clocks', text) : warn('clocks', text, 'Let both machines follow NTP.')];
}

async function gateway({ config }: Workspace): Promise<Finding[]> {
  const base =
    config.gateway === 'sandbox' ? `http://127.0.0.1:${String(config.sandboxPort)}/v1` : config.oxapayBaseUrl;
  try {
    const answer = await fetch(`${base}/common/monitor`, { signal: AbortSignal.timeout(5000), redirect: 'error' });
    await answer.body?.cancel();
    const text = `${config.gateway} answers ${String(answer.status)}`;
    return [answer.ok ? ok('gateway', text) : warn('gateway', text, 'See whether the gateway reports an outage.')];
  } catch {
    const advice =
      config.gateway === 'sandbox'
        ? 'Start the service: the sandbox gateway runs with it.'
        : 'Check the network and OXAPAY_BASE_URL.';
    return [warn('gateway', `${config.gateway} does not answer`, advice)];
  }
}

const openAllowedSeconds = 30;

/** Nobody who follows the log may pass a transaction that still writes to it. */
async function log({ pool }: Workspace): Promise<Finding[]> {
  const writers = await openWriters(pool, openAllowedSeconds);
  if (writers.length === 0) return [ok('log', 'no transaction holds it back')];
  return writers.map(({ pid, application, seconds }) =>
    warn(
      'log',
      `process ${String(pid)} (${application}) has a transaction open on it since ${String(seconds)} s: nothing later is seen`,
      `Let it end, or end it: select pg_terminate_backend(${String(pid)}).`,
    ),
  );
}

const lagAllowed = 10_000;

async function followers({ pool }: Workspace): Promise<Finding[]> {
  const watermark = await new LogReader(pool).watermark();
  const { rows } = await pool.query<{ name: string; position: number; error: string | null }>(
    'select name, position, error from subscription order by name',
  );
  return rows.map(({ name, position, error }) => {
    const behind = watermark - position;
    if (error !== null)
      return fail(
        'followers',
        `${name} stopped after position ${String(position)}: ${error.slice(0, 200)}`,
        'Mend the cause; it goes on by itself and skips nothing.',
      );
    const text = `${name}: ${String(behind)} events behind`;
    return behind > lagAllowed
      ? warn('followers', text, 'Is the service running? Followers work inside it.')
      : ok('followers', text);
  });
}

async function jobs({ pool }: Workspace): Promise<Finding[]> {
  const { rows } = await pool.query<{ waiting: string; failed: string; late: string | null }>(
    `select count(*) filter (where attempts < max_attempts)::text as waiting, count(*) filter (where attempts >= max_attempts)::text as failed,
       extract(epoch from now() - min(run_at) filter (where run_at < now() and locked_at is null and attempts < max_attempts))::int::text as late
     from graphile_worker.jobs`,
  );
  const { waiting = '0', failed = '0', late = null } = rows[0] ?? {};
  const text = `${waiting} waiting, ${failed} given up`;
  if (late !== null && Number(late) > 60)
    return [warn('jobs', `${text}, the oldest due since ${late} s`, 'Is the service running? Jobs run inside it.')];
  return [
    failed === '0'
      ? ok('jobs', text)
      : warn('jobs', text, 'See the payments that they are for: finality timeline <payment>, and docs/operations.md.'),
  ];
}

const deadDays = 7;
const webhooksLateSeconds = 900;

async function deliveries({ pool }: Workspace): Promise<Finding[]> {
  const { rows } = await pool.query<{ dead: number; late: number; failing: string[] }>(
    `select (select count(*)::int from (select from webhook_delivery
         where status = 'dead' and ended_at > now() - make_interval(days => $1) limit 10000) d) as dead,
       (select count(*)::int from webhook_endpoint e where disabled_at is null and failing_since is null and exists
         (select from webhook_delivery d where d.endpoint_id = e.id and d.due_at < now() - make_interval(secs => $2))) as late,
       (select coalesce(array_agg(id order by id), '{}') from webhook_endpoint where failing_since < now() - make_interval(secs => $2)) as failing`,
    [deadDays, webhooksLateSeconds],
  );
  const { dead = 0, late = 0, failing = [] } = rows[0] ?? {};
  const found: Finding[] = [];
  for (const id of failing.slice(0, 10))
    found.push(warn('deliveries', `endpoint ${id} fails`, `See its answers: finality webhooks list --endpoint ${id}`));
  if (dead > 0) {
    const text = `${String(dead)} given up in the last ${String(deadDays)} days`;
    found.push(warn('deliveries', text, 'Once the receiver is well: finality webhooks redeliver --status dead --yes'));
  }
  if (late > 0)
    found.push(
      warn('deliveries', `${String(late)} endpoints wait for late ones`, 'Is the service running? It sends them.'),
    );
  return found.length > 0 ? found : [ok('deliveries', 'none is late or given up')];
}

async function evidence({ pool }: Workspace): Promise<Finding[]> {
  const { rows } = await pool.query<{ status: string; count: string }>(
    `select status, count(*)::text as count from inbox where status in ('unmatched', 'quarantined') group by status`,
  );
  const of = (status: string): string => rows.find((row) => row.status === status)?.count ?? '0';
  const text = `${of('unmatched')} without a payment, ${of('quarantined')} in quarantine`;
  return [
    rows.length === 0
      ? ok('callbacks', text)
      : warn('callbacks', text, 'Money may have come that no payment accounts for: finality callbacks list'),
  ];
}

const patienceHours = 24;

async function reviews({ pool }: Workspace): Promise<Finding[]> {
  const { rows } = await pool.query<{ open: string; hours: number | null }>(
    `select count(*)::text as open,
       (extract(epoch from now() - min((state->'payment'->'money'->'review'->>'openedAt')::timestamptz)) / 3600)::int as hours
     from payment_view where review = 'open'`,
  );
  const { open = '0', hours = null } = rows[0] ?? {};
  if (hours === null) return [ok('reviews', 'no payment waits for a person')];
  const text = `${open} payments wait for a person, the oldest for ${String(Math.max(0, hours))} h`;
  return [hours < patienceHours ? ok('reviews', text) : warn('reviews', text, 'Decide them: finality review list')];
}

async function looks({ pool }: Workspace): Promise<Finding[]> {
  const { rows } = await pool.query<{ due: string; late: string }>(
    `select count(*)::text as due, count(*) filter (where due_at < now() - interval '10 minutes')::text as late from look`,
  );
  const { due = '0', late = '0' } = rows[0] ?? {};
  const text = `${due} payments are looked up on schedule`;
  return [
    late === '0'
      ? ok('reconciliation', text)
      : warn(
          'reconciliation',
          `${text}, ${late} are over 10 minutes late`,
          'Is the service running, and does the gateway answer? To ask it now: finality reconcile',
        ),
  ];
}

/** In this order, so that what explains the rest comes first. */
const looksAt: readonly [Check, (workspace: Workspace) => Promise<Finding[]>][] = [
  ['configuration', configuration],
  ['database', server],
  ['connections', connections],
  ['disk', disk],
  ['clocks', clocks],
  ['gateway', gateway],
  ['log', log],
  ['followers', followers],
  ['jobs', jobs],
  ['deliveries', deliveries],
  ['callbacks', evidence],
  ['reviews', reviews],
  ['reconciliation', looks],
  ['checkpoints', checkpoints],
  ['verification', verification],
  ['match', match],
];
