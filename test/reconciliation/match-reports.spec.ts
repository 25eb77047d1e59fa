import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { eventsOf, firstRecordedAt } from '../../src/reconciliation/day-log.pg.js';
import { lastMatch, MatchReports } from '../../src/reconciliation/match-reports.pg.js';
import { Matching } from '../../src/reconciliation/match.js';
import { testDatabase, type TestDatabase } from '../support/database.js';

let database: TestDatabase;
beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.drop());

describe('The reports of the daily match', () => {
  const day = '2026-01-30';
  const at = (time: string): string => `2026-01-31T${time}.000Z`;

  it('are made by one process; one that dies with a day leaves it to the others', async () => {
    const reports = new MatchReports(database.pool);
    expect(await reports.claim(day, at('01:00:00'), at('01:05:00'))).toBe('claimed');
    expect(await reports.claim(day, at('01:04:59'), at('01:10:00'))).toBe('busy');
    await reports.hold(day, at('01:08:00'));
    expect(await reports.claim(day, at('01:07:59'), at('01:13:00'))).toBe('busy');
    // It was killed: nobody holds the day any longer.
    const both = [0, 1].map(() => reports.claim(day, at('01:08:00'), at('01:13:00')));
    expect((await Promise.all(both)).sort()).toEqual(['busy', 'claimed']);
    expect([await reports.find(day), await lastMatch(database.pool), await reports.list(10)]).toEqual([null, null, []]);
    await reports.keep(new Matching().report(day, at('01:09:00'), true));
    expect(await reports.claim(day, at('09:00:00'), at('09:05:00'))).toBe('done');
  });

  it('are kept once a day, the newest of them', async () => {
    const reports = new MatchReports(database.pool);
    const again = new Matching().report(day, at('12:00:00'), true);
    await reports.keep(again);
    expect(await reports.find(day)).toEqual(again);
    const summary = { day, madeAt: at('12:00:00'), complete: true, payments: 0, differences: 0, explained: 0 };
    expect([await lastMatch(database.pool), await reports.list(10)]).toEqual([summary, [summary]]);
  });
});

describe('The events of a span of time', () => {
  const write = async (recordedAt: string, type: string, data = {}): Promise<void> => {
    await database.pool.query(
      `insert into event (stream_id, version, event_id, type, schema_version, recorded_at, tenant, actor, correlation_id, causation_id, data, hash)
       values ($1, 1, $2, $3, 1, $4, $1, 'test', $1, $1, $5, $6)`,
      [randomUUID(), randomUUID(), type, recordedAt, JSON.stringify(data), randomBytes(32)],
    );
  };
  const types = async (from: string, to: string): Promise<string[]> => {
    const found: string[] = [];
    for await (const page of eventsOf(database.pool, from, to)) found.push(...page.map(({ type, paymentId }) => type + (paymentId ?? ''))); // prettier-ignore
    return found;
  };

  it('are none in an empty log', async () => {
    expect([await firstRecordedAt(database.pool), await types('2026-01-01', '2026-02-01')]).toEqual([null, []]);
  });

  it('are those of payments and accounts, to the millisecond, though the clocks of two writers are apart', async () => {
    await write('2026-01-29T10:00:00.000Z', 'PaymentRequested');
    await write('2026-01-30T00:00:00.000Z', 'PaymentPaid');
    // The clock of this one was behind.
    await write('2026-01-29T23:58:00.000Z', 'PaymentExpired');
    await write('2026-01-30T12:00:00.000Z', 'FulfillmentRequested');
    await write('2026-01-30T12:00:00.000Z', 'CreditAdded', { paymentId: ':p' });
    await write('2026-01-31T00:00:00.000Z', 'InvoiceOpened');
    await write('2026-01-30T23:59:59.999Z', 'RefundConfirmed');
    await write('2026-01-31T10:00:00.000Z', 'CreditSpent', { paymentId: ':q' });
    expect(await types('2026-01-30T00:00:00.000Z', '2026-01-31T00:00:00.000Z')).toEqual(['PaymentPaid', 'CreditAdded:p', 'RefundConfirmed']); // prettier-ignore
    expect(await types('2026-01-29T00:00:00.000Z', '2026-01-30T00:00:00.000Z')).toEqual(['PaymentRequested', 'PaymentExpired']); // prettier-ignore
    expect(await types('2026-02-01T00:00:00.000Z', '2026-02-02T00:00:00.000Z')).toEqual([]);
    expect(await firstRecordedAt(database.pool)).toBe('2026-01-29T10:00:00.000Z');
  });
});
