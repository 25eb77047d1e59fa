import { execFileSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { OrderFollower } from '../../src/api/order-reader.js';
import { SystemClock } from '../../src/platform/clock.js';
import { createPool } from '../../src/platform/database/database.pg.js';
import { startEmbeddedPostgres, type EmbeddedPostgres } from '../../src/platform/database/embedded-postgres.pg.js';
import { migrate } from '../../src/platform/database/migrate.pg.js';
import { DatabasePool } from '../../src/platform/database/pool.pg.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { openWriters } from '../../src/platform/event-store/open-writers.pg.js';
import { rebuild } from '../../src/platform/subscriptions/rebuild.pg.js';
import { OrderProjection } from '../../src/read-models/order-projection.pg.js';
import { startSandbox, type Sandbox } from '../../src/sandbox/sandbox.module.js';
import { acknowledged, kept, said, story } from '../callbacks/support.js';
import { asAdmin, newDatabaseName, testDatabase, urlFor, type TestDatabase } from '../support/database.js';
import { remove, temporaryDirectory } from '../support/embedded-postgres.js';
import {
  freePort,
  merchantKey,
  payoutKey,
  startTestService,
  until,
  type Answer,
  type TestService,
} from '../support/service.js';

interface Opened {
  id: string;
  trackId: string;
  orderId: string;
}

let orders = 0;
const create = (shop: TestService, headers?: Record<string, string>): Promise<Answer> =>
  shop.api('POST', '/v1/payments', { orderId: `fault-${++orders}`, amount: '10.50', currency: 'USD' }, headers);
const opened = async (shop: TestService): Promise<Opened> => {
  const { status, body } = await create(shop);
  expect(status).toBe(201);
  return body as Opened;
};
const statusOf = async (shop: TestService, id: string): Promise<string> =>
  (await shop.api('GET', `/v1/payments/${id}`)).body.status;
const payExactly = (shop: TestService, { trackId }: Opened): Promise<Answer> =>
  shop.control('/_sandbox/scenarios/exact', { trackId });
const ready = async (shop: TestService): Promise<number> => (await shop.api('GET', '/health/ready')).status;
/** How often each fact of a payment was recorded. */
const times = async (shop: TestService, id: string, type: string): Promise<number> =>
  (await story(shop.database.pool, id)).filter((fact) => fact === type).length;

/** A calling service that fulfils whatever it is asked to, and remembers under which ids. */
const startReceiver = async (): Promise<{ url: string; told: Map<string, Set<string>>; server: Server }> => {
  const told = new Map<string, Set<string>>();
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (part: Buffer) => (body += part.toString()));
    request.on('end', () => {
      const { type, data } = JSON.parse(body) as { type: string; data: { id: string } };
      if (type === 'fulfillment.requested')
        told.set(data.id, (told.get(data.id) ?? new Set()).add(String(request.headers['webhook-id'])));
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`, told, server };
};

describe('A service whose database', () => {
  let shop: TestService;
  beforeAll(async () => {
    shop = await startTestService();
  });
  afterAll(() => shop.close());
  afterEach(async () => {
    await shop.database.pool.query('drop trigger if exists chaos on event; drop sequence if exists chaos');
  });

  /** The next so many appends fail with this SQLSTATE, in the database itself. A sequence counts through rollbacks. */
  const failAppends = async (count: number, sqlState: string): Promise<void> => {
    await shop.database.pool.query(`create sequence chaos;
      create or replace function chaos() returns trigger language plpgsql as $$
      begin
        if nextval('chaos') <= ${count} then raise exception 'chaos' using errcode = '${sqlState}'; end if;
        return new;
      end $$;
      create trigger chaos before insert on event for each statement execute function chaos()`);
  };

  it('D04: has no connection left answers 503 within two seconds and a half, and serves again when there are some', async () => {
    const pool = shop.service.app.get(DatabasePool);
    const taken = await Promise.all(Array.from({ length: pool.options.max }, () => pool.connect()));
    try {
      const began = performance.now();
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, n) => create(shop, { 'idempotency-key': `exhausted-${n}` })),
      );
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([503]));
      expect(performance.now() - began).toBeLessThan(2500);
      expect(await ready(shop)).toBe(503);
    } finally {
      for (const client of taken) client.release();
    }
    expect((await create(shop, { 'idempotency-key': 'exhausted-0' })).status).toBe(201);
    expect(await ready(shop)).toBe(200);
  });

  it.each(['40001', '40P01'])('D06: reports %s is asked again, and a lasting trouble is a 503', async (sqlState) => {
    const payment = await opened(shop);
    const body = said(payment);
    await failAppends(3, sqlState);
    expect(await shop.callback(body)).toEqual(acknowledged);
    expect(await kept(shop.database.pool, body)).toEqual([{ status: 'applied', reason: null, receipts: 1 }]);
    expect(await times(shop, payment.id, 'PaymentPaid')).toBe(1);

    await shop.database.pool.query('drop trigger chaos on event; drop sequence chaos');
    const next = await opened(shop);
    const lost = said(next);
    await failAppends(1_000_000, sqlState);
    expect((await shop.callback(lost)).status).toBe(503);
    expect(await kept(shop.database.pool, lost)).toEqual([]);
    await shop.database.pool.query('drop trigger chaos on event; drop sequence chaos');
    expect(await shop.callback(lost)).toEqual(acknowledged);
    expect(await times(shop, next.id, 'PaymentPaid')).toBe(1);
  });

  it('D07: kept an event of which the service never heard takes its second try for the first', async () => {
    const store = shop.service.app.get(EventStore);
    const payment = await opened(shop);
    const { events, head } = await store.read(payment.id);
    const last = events.at(-1);
    const { id, type, data, schemaVersion, recordedAt, tenant, actor, correlationId, causationId } = last ?? never();
    const before = {
      streamId: payment.id,
      head: { version: head.version - 1, hash: await hashOf(shop, payment.id, head.version - 1) },
      events: [{ id, type, data, schemaVersion }],
      metadata: { recordedAt, tenant, actor, correlationId, causationId },
    };
    expect(await store.append(before)).toMatchObject({ head: { version: head.version }, position: last?.position });
    expect((await store.read(payment.id)).events).toEqual(events);
  });

  it('D09: takes no writes answers 503 to everything that changes something, until it takes them again', async () => {
    const payment = await opened(shop);
    const { pool } = shop.database;
    const name = (await pool.query('select current_database() as name')).rows[0].name as string;
    const readOnly = async (setting: 'on' | 'off'): Promise<void> => {
      await asAdmin(`alter database "${name}" set default_transaction_read_only = ${setting}`);
      // As a fail-over would: the connections are new, and lead to a server that refuses.
      await asAdmin(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
    };
    await readOnly('on');
    await until(async () => (await ready(shop)) === 503);
    const body = said(payment);
    const answers = [
      (await shop.callback(body)).status,
      (await create(shop)).status,
      (await create(shop, { 'idempotency-key': 'read-only' })).status,
      (await shop.api('POST', `/v1/payments/${payment.id}/cancel`)).status,
      (await shop.api('PUT', '/v1/policies/read-only', { paidWhen: { rule: 'settled' } })).status,
      (await shop.api('POST', '/v1/webhook-endpoints', { url: 'http://127.0.0.1:9/' })).status,
    ];
    expect(answers).toEqual(answers.map(() => 503));
    expect(await statusOf(shop, payment.id)).toBe('pending');
    expect((await shop.api('GET', '/health/live')).status).toBe(200);
    await readOnly('off');
    await until(async () => (await ready(shop)) === 200);
    await until(async () => (await shop.callback(body)).status === 200);
    expect(await kept(pool, body)).toMatchObject([{ status: 'applied' }]);
  });

  it('D11: holds a transaction that somebody forgot goes on acknowledging, names its process, and catches up when it is gone', async () => {
    const human = createPool(shop.database.url, { max: 1, applicationName: 'psql', idleInTransactionTimeoutMs: 0 });
    const client = await human.connect();
    client.on('error', () => undefined);
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    await client.query('begin; lock table event in row exclusive mode');
    const payment = await opened(shop);
    expect(await shop.callback(said(payment))).toEqual(acknowledged);
    const follower = shop.service.app.get(OrderFollower);
    const { rows: newest } = await shop.database.pool.query('select max(position) as position from event');
    expect(await follower.waitFor(newest[0].position, 300)).toBe(false);
    expect(await openWriters(shop.database.pool, 0)).toContainEqual({
      pid: rows[0]?.pid,
      application: 'psql',
      seconds: expect.any(Number),
    });
    expect(await openWriters(shop.database.pool, 5)).toEqual([]);
    await asAdmin(`select pg_terminate_backend(${rows[0]?.pid})`);
    expect(await follower.waitFor(newest[0].position, 5000)).toBe(true);
    client.release(true);
    await human.end();
  });

  it('D16: lost the rows of its read models has them back to the last byte, while it serves', async () => {
    const payments = await Promise.all(Array.from({ length: 5 }, () => opened(shop)));
    await Promise.all(payments.map((payment) => payExactly(shop, payment)));
    const { pool } = shop.database;
    const tables = async (): Promise<unknown[]> => [
      (await pool.query('select * from payment_view order by payment_id')).rows,
      (await pool.query('select * from order_view order by application_id, order_id')).rows,
    ];
    // Until nothing more comes of them by itself.
    await until(async () => {
      const { rows } = await pool.query(
        `select 1 from payment_view where fulfillment = 'requested' and payment_id = any($1)`,
        [payments.map(({ id }) => id)],
      );
      return rows.length === payments.length;
    }, 10_000);
    const before = await tables();
    await pool.query('truncate payment_view, order_view');
    const served = opened(shop);
    await rebuild(shop.database.url, new OrderProjection());
    const late = (await served).id;
    await until(async () => (await pool.query('select 1 from payment_view where payment_id = $1', [late])).rowCount);
    await pool.query('delete from payment_view where payment_id = $1', [late]);
    await pool.query(`delete from order_view where first_payment_id = $1`, [late]);
    expect(await tables()).toEqual(before);
  });
});

const never = (): never => {
  throw new Error('the stream is empty');
};
const hashOf = async (shop: TestService, id: string, version: number): Promise<Buffer> =>
  (await shop.database.pool.query('select hash from event where stream_id = $1 and version = $2', [id, version]))
    .rows[0].hash as Buffer;

describe('A service whose database holds an event that only a newer version knows', () => {
  it('D17: refuses that payment and goes on with the others', async () => {
    const shop = await startTestService();
    try {
      const [newer, other] = [await opened(shop), await opened(shop)];
      await shop.database.pool.query(
        `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
         select stream_id, version + 1, gen_random_uuid(), 'TransferDetected', 99, recorded_at, tenant, actor, correlation_id, causation_id, '{}', sha256('')
         from event where stream_id = $1 and version = 2`,
        [newer.id],
      );
      const body = said(newer);
      // Kept for whoever understands the stream; nothing is decided upon what is only half understood.
      expect(await shop.callback(body)).toEqual(acknowledged);
      expect(await kept(shop.database.pool, body)).toMatchObject([{ status: 'quarantined' }]);
      expect((await shop.api('GET', `/v1/payments/${newer.id}`)).status).toBe(500);
      expect((await shop.api('POST', `/v1/payments/${newer.id}/cancel`)).status).toBe(500);
      expect(await times(shop, newer.id, 'PaymentPaid')).toBe(0);
      expect(shop.logged.some((line) => line.includes(newer.id) && line.includes('v99'))).toBe(true);

      expect(await shop.callback(said(other))).toEqual(acknowledged);
      expect(await statusOf(shop, other.id)).toBe('paid');
      await opened(shop);
    } finally {
      await shop.close();
    }
  });
});

describe.each([
  ['ahead of', 10],
  ['behind', -10],
])('D12: With a clock that is ten minutes %s the others', (_, minutes) => {
  let database: TestDatabase;
  let sandbox: Sandbox;
  let shop: TestService;
  beforeAll(async () => {
    database = await testDatabase();
    // The gateway and the database keep the machine's time; the service is the one that is wrong.
    sandbox = await startSandbox({
      port: 0,
      host: '127.0.0.1',
      clock: new SystemClock(),
      merchantKeys: [merchantKey],
      payoutKeys: [payoutKey],
    });
    const gatewayPort = Number(new URL(sandbox.url).port);
    const clock = new SystemClock(minutes * 60_000);
    shop = await startTestService({ sandbox: false, gatewayPort, database, clock });
  });
  afterAll(async () => {
    await shop.close();
    await sandbox.close();
    await database.drop();
  });

  it('payments are opened, paid and fulfilled once, in the order of their versions', async () => {
    const receiver = await startReceiver();
    await shop.api('POST', '/v1/webhook-endpoints', { url: receiver.url });
    const payment = await opened(shop);
    await payExactly(shop, payment);
    await until(
      async () => (await shop.api('GET', `/v1/orders/${payment.orderId}`)).body.fulfillment === 'fulfilled',
      10_000,
    );
    const { rows } = await database.pool.query(
      'select version, position from event where stream_id = $1 order by position',
      [payment.id],
    );
    expect(rows.map(({ version }) => version as number)).toEqual(rows.map((_row, at) => at + 1));
    expect(receiver.told.get(payment.id)?.size).toBe(1);
    receiver.server.closeAllConnections();
    receiver.server.close();
  }, 20_000);

  it('a payment is not expired before the gateway says so', async () => {
    const { status, body } = await shop.api('POST', '/v1/payments', {
      orderId: `clock-${++orders}`,
      amount: '10.50',
      currency: 'USD',
      lifetimeMinutes: 15,
    });
    expect([status, body.status]).toEqual([201, 'pending']);
    // By the service's own clock the deadline has long passed.
    shop.clock.advance(20 * 60);
    await shop.service.clockAdvanced(20 * 60);
    await shop.api('POST', `/v1/payments/${(body as Opened).id}/reconcile`);
    expect(await statusOf(shop, (body as Opened).id)).toBe('pending');
  });
});

describe('A service that is given a backup of an hour ago', () => {
  it('D15: learns from the gateway what happened since, and fulfils nothing a second time under another id', async () => {
    const receiver = await startReceiver();
    const database = await testDatabase();
    const name = new URL(database.url).pathname.slice(1);
    const backup = newDatabaseName();
    const gatewayPort = await freePort();
    const clock = new SystemClock();
    const sandbox = await startSandbox({
      port: gatewayPort,
      host: '127.0.0.1',
      clock,
      merchantKeys: [merchantKey],
      payoutKeys: [payoutKey],
    });
    const before = await startTestService({ sandbox: false, gatewayPort, database, clock });
    let after: TestService | null = null;
    try {
      await before.api('POST', '/v1/webhook-endpoints', { url: receiver.url });
      const [paidBefore, paidSince] = [await opened(before), await opened(before)];
      await payExactly(before, paidBefore);
      await until(async () => receiver.told.get(paidBefore.id)?.size);
      await asAdmin(`create database "${backup}" template "${name}" strategy file_copy`).catch(async () => {
        // A template may have no connections: the service's are ended, and it opens new ones.
        await asAdmin(`alter database "${name}" with allow_connections false`);
        await asAdmin(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`);
        await until(async () =>
          asAdmin(`create database "${backup}" template "${name}"`).then(
            () => true,
            () => false,
          ),
        );
        await asAdmin(`alter database "${name}" with allow_connections true`);
      });
      // What the backup knows nothing of: a payment that it holds for open is paid and fulfilled.
      await until(async () => (await ready(before)) === 200, 10_000);
      await payExactly(before, paidSince);
      await until(async () => receiver.told.get(paidSince.id)?.size, 20_000);
      const { rows: original } = await database.pool.query(
        `select data->>'messageId' as id from event where type = 'FulfillmentRequested' order by 1`,
      );
      expect(original).toHaveLength(2);
      await before.close();

      const url = urlFor(backup);
      const pool = createPool(url);
      after = await startTestService({
        sandbox: false,
        gatewayPort,
        clock,
        database: { url, pool, drop: () => pool.end() },
      });
      const restored = after;
      expect(await statusOf(restored, paidSince.id)).toBe('pending');
      await clockOn(restored, sandbox, 300);
      await until(async () => (await statusOf(restored, paidSince.id)) === 'paid', 20_000);
      await until(async () => {
        const { rows } = await pool.query(`select 1 from event where type = 'FulfillmentReported'`);
        return rows.length === 2;
      }, 20_000);
      // The one that the backup knew of was not told again under a new id.
      expect(receiver.told.get(paidBefore.id)?.size).toBe(1);
    } finally {
      await after?.close();
      await after?.database.pool.end();
      await sandbox.close();
      await asAdmin(`drop database if exists "${backup}" with (force)`);
      await database.drop();
      receiver.server.closeAllConnections();
      receiver.server.close();
    }
  }, 60_000);
});

/** Moves the clock that the service and the gateway share. */
const clockOn = async (shop: TestService, sandbox: Sandbox, seconds: number): Promise<void> => {
  await fetch(`${sandbox.url}/_sandbox/clock/advance`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ seconds }),
  });
  await shop.service.clockAdvanced(seconds);
};

/** Whether a file system of a fixed size can be had here: it takes the right to mount. */
const mountable = ((): boolean => {
  try {
    execFileSync(
      'sh',
      ['-c', 'd=$(mktemp -d) && mount -t tmpfs -o size=1m tmpfs "$d" && umount "$d"; s=$?; rmdir "$d"; exit $s'],
      {
        stdio: 'ignore',
      },
    );
    return true;
  } catch {
    return false;
  }
})();

// Where nothing may be mounted there is no disk to fill: the test says so by being skipped.
(mountable ? describe : describe.skip)('A service whose database has filled its disk', () => {
  let disk: string;
  let server: EmbeddedPostgres;
  let shop: TestService;
  beforeAll(async () => {
    disk = await temporaryDirectory();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=192m,mode=755', 'tmpfs', disk]);
    server = await startEmbeddedPostgres({ dataDir: join(disk, 'data'), database: 'finality' });
    await migrate(server.url);
    const pool = createPool(server.url, { applicationName: 'finality-test' });
    shop = await startTestService({ database: { url: server.url, pool, drop: () => pool.end() } });
  }, 60_000);
  afterAll(async () => {
    await shop.close();
    await shop.database.pool.end();
    await server.stop();
    // Where the test has failed, something may still have a file open there.
    execFileSync('umount', ['--lazy', disk]);
    await remove(disk);
  });

  it('D08: answers 503, is not ready, does not end, and goes on with every acknowledged payment when there is space again', async () => {
    const first = await opened(shop);
    const ballast = join(disk, 'ballast');
    const { bavail, bsize } = await statfs(disk);
    await writeFile(ballast, Buffer.alloc(bavail * bsize - 2 ** 20, 1));
    // Rows until the log of the database itself finds no room: the server then ends all its sessions and recovers.
    const refused = await until(async () => {
      await shop.database.pool
        .query(
          `create table if not exists filling (bytes text); insert into filling select repeat(md5(n::text), 64) from generate_series(1, 4000) n`,
        )
        .catch(() => undefined);
      const answer = await create(shop);
      return answer.status === 201 ? false : answer;
    }, 30_000);
    expect(refused.status).toBe(503);
    expect((await shop.callback(said(first))).status).toBe(503);
    expect((await shop.api('GET', '/health/live')).status).toBe(200);
    const before = await known(shop);
    // The next file of the database's own log has no room either: the server panics, and cannot recover.
    await shop.database.pool.query('select pg_switch_wal()').catch(() => undefined);
    await until(async () => {
      await shop.database.pool.query('insert into filling values (1)').catch(() => undefined);
      return (await readFile(join(server.directory, 'postgres.log'), 'utf8')).includes('PANIC');
    }, 30_000);
    // It has written so before its last session ends.
    await until(async () => (await ready(shop)) === 503, 20_000);
    await until(async () => (await shop.callback(said(first))).status === 503, 20_000);
    expect((await shop.api('GET', '/health/live')).status).toBe(200);

    await rm(ballast);
    server = await startEmbeddedPostgres({ dataDir: join(disk, 'data'), database: 'finality' });
    await until(async () => (await ready(shop)) === 200, 20_000);
    await until(async () => (await shop.callback(said(first))).status === 200, 10_000);
    expect(await statusOf(shop, first.id)).toBe('paid');
    expect((await create(shop)).status).toBe(201);
    expect(await known(shop)).toBeGreaterThan(before);
    const gaps = await shop.database.pool.query(
      'select stream_id from event group by stream_id having min(version) <> 1 or max(version) <> count(*)',
    );
    expect(gaps.rows).toEqual([]);
  }, 90_000);
});

const known = async (shop: TestService): Promise<number> =>
  (await shop.database.pool.query('select count(*)::int as n from event')).rows[0].n as number;
