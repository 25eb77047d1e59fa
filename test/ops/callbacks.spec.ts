import { createHash, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { CommandBus } from '@nestjs/cqrs';
import { contentOf, readCallback } from '../../src/gateway/wire.js';
import { sign } from '../../src/gateway/signature.js';
import { ApplyUnmatched } from '../../src/payments/gateway-event.handlers.js';
import { ReprocessMessage, type Reprocessed } from '../../src/payments/reprocess.handlers.js';
import { EventStore } from '../../src/platform/event-store/event-store.pg.js';
import { RandomIds } from '../../src/platform/ids.js';
import { openPayment, said, story, tx, untouched, type OpenPayment } from '../callbacks/support.js';
import { merchantKey, payoutKey, startTestService, until, type TestService } from '../support/service.js';
import { finalityBeside, inProduction } from './command-process.js';

// Each command is a process, and there are several in one test.
jest.setTimeout(60_000);

const paidInFull = ['GatewayReported', 'TransferDetected', 'AmountAssessed', 'PaymentPaid'];

/** What the gateway says of a payout that went through. */
const payoutSaid = (trackId: string): string =>
  JSON.stringify({
    track_id: trackId,
    type: 'payout',
    status: 'Confirmed',
    amount: 1,
    currency: 'USDT',
    network: 'Tron',
    address: 'TAddressNotForUse',
    tx_hash: '0x1',
    description: '',
    date: 1,
  });

describe("The gateway's callbacks, from the command line", () => {
  let shop: TestService;
  let finality: ReturnType<typeof finalityBeside>;
  let store: EventStore;
  beforeAll(async () => {
    shop = await startTestService();
    finality = finalityBeside(shop);
    store = shop.service.app.get(EventStore);
  });
  afterAll(() => shop.close());

  /** Keeps a callback as one that could not be applied when it came: an earlier version did not know what it says. */
  const kept = async (
    body: string | Buffer,
    {
      reason = 'unknown_status',
      status = 'quarantined' as const,
      key = merchantKey,
      trackId = null as string | null,
    } = {},
  ): Promise<string> => {
    const id = new RandomIds().next();
    const bytes = Buffer.from(body);
    const digest = createHash('sha256').update('callback:default\n').update(bytes).update('\n').digest();
    const headers = { hmac: sign(bytes, key), 'content-type': 'application/json' };
    const message = { id, digest, source: 'callback:default', subject: trackId, body: bytes, headers };
    await store.recordMessage(null, { ...message, status, reason, receivedAt: shop.clock.now() });
    return id;
  };
  const rowsAbout = async (trackId: string): Promise<{ status: string; receipts: number; loose: boolean }[]> => {
    const text = `select status, receipts, stream_id = '00000000-0000-0000-0000-000000000000' as loose from inbox
      where source = 'callback:default' and position($1 in body) > 0 order by loose desc, received_at`;
    const { rows } = await shop.database.pool.query(text, [Buffer.from(trackId)]);
    return rows as { status: string; receipts: number; loose: boolean }[];
  };
  const paid = (payment: OpenPayment): Promise<string[]> => story(shop.database.pool, payment.id);
  /** Beside what follows from the gateway's own answer, which the service asks for at once. */
  const expectPaidOnce = async (payment: OpenPayment): Promise<void> => {
    const facts = await paid(payment);
    expect(facts.slice(0, 6)).toEqual([...untouched, ...paidInFull]);
    expect(facts.filter((type) => type === 'PaymentPaid')).toHaveLength(1);
  };

  describe('list', () => {
    let payment: OpenPayment;
    let appliedBody: string;
    beforeAll(async () => {
      payment = await openPayment(shop);
      appliedBody = said(payment, { status: 'Paying', txs: [tx({ status: 'confirming' })] });
      await shop.callback(appliedBody);
      await shop.callback(appliedBody);
      await shop.callback(said({ id: randomUUID(), trackId: '777000111' }));
      await shop.callback('{"track_id": 777000112, nonsense');
      for (const key of ['wrong-key-1', 'wrong-key-2']) await shop.callback(appliedBody, { key });
      await shop.callback(appliedBody, { headers: { hmac: 'short' } });
      await shop.callback(appliedBody, { key: payoutKey });
    });

    it('shows what came, newest first, with what became of it and its payment', async () => {
      const { code, json } = await finality('callbacks', 'list', '--json');
      expect(code).toBe(0);
      const [newest, second, third] = json.items;
      expect(newest).toMatchObject({
        status: 'quarantined',
        reason: 'not_json',
        about: 'unreadable (not_json)',
        trackId: '777000112',
      });
      expect(second).toMatchObject({
        status: 'unmatched',
        reason: 'unknown_track_id',
        about: 'payment paid',
        paymentId: null,
      });
      expect(third).toMatchObject({ status: 'applied', receipts: 2, about: 'payment paying', paymentId: payment.id });
      const text = (await finality('callbacks', 'list', '--limit', '2')).out.split('\n');
      expect(text[0]).toContain(`${String(newest.id)}  quarantined (not_json)`);
      expect(text[2]).toBe('There are more: narrow it down, or raise --limit.');
    });

    const ids = async (...filter: string[]): Promise<string[]> =>
      ((await finality('callbacks', 'list', '--json', ...filter)).json.items as { id: string }[]).map(({ id }) => id);

    it('finds by status, reason and time', async () => {
      const [broken, unknown, applied] = await ids();
      expect(await ids('--status', 'unmatched')).toEqual([unknown]);
      expect(await ids('--reason', 'not_json')).toEqual([broken]);
      expect(await ids('--to', '2026-01-01T00:00:00Z')).toEqual([]);
      expect(await ids('--from', '2020-01-01T00:00:00Z', '--status', 'applied')).toEqual([applied]);
    });

    it('finds by track id and payment', async () => {
      const [, unknown, applied] = await ids();
      expect(await ids('--track-id', '777000111')).toEqual([unknown]);
      expect(await ids('--track-id', payment.trackId)).toEqual([applied]);
      expect(await ids('--payment', payment.id)).toEqual([applied]);
    });

    it('shows the answers to our questions with --source poll', async () => {
      await shop.api('POST', `/v1/payments/${payment.id}/reconcile`);
      const { json } = await finality('callbacks', 'list', '--source', 'poll', '--json');
      expect(json.items[0]).toMatchObject({
        source: 'poll:default',
        about: 'answer to a question',
        paymentId: payment.id,
      });
    });

    it('counts those that were turned away by reason, durably and over all processes', async () => {
      const counted = async () => {
        const { rows } = await shop.database.pool.query(
          'select reason, sum(count)::int as count from callback_rejection group by reason order by reason',
        );
        return rows.length === 2 && rows;
      };
      expect(await until(counted, 15_000)).toEqual([
        { reason: 'wrong_key', count: 1 },
        { reason: 'wrong_signature', count: 3 },
      ]);
      expect((await finality('callbacks', 'list')).out).toMatch(
        /Turned away in the hours from .*: 3 wrong_signature, 1 wrong_key\.\n$/,
      );
    });
  });

  describe('show', () => {
    it('C05: gives hostile bytes exactly as JSON, and nothing that a terminal would obey as text', async () => {
      const body = Buffer.concat([
        Buffer.from('{"track_id":"777000113"\u001b[2J\n verdict  applied \u202e'),
        Buffer.from([0xff]),
      ]);
      await shop.callback(body, { headers: { 'user-agent': 'gate\u001bway' } }).catch(() => shop.callback(body));
      const { json } = await finality('callbacks', 'list', '--json', '--limit', '1');
      const { id } = json.items[0] as { id: string };
      const shown = await finality('callbacks', 'show', id, '--json');
      expect(shown.json.body).toEqual({ bytes: body.length, base64: body.toString('base64'), text: null });
      expect(shown.json.headers.hmac).toBe(sign(body, merchantKey));
      const { out } = await finality('callbacks', 'show', id);
      expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
      expect(out).toContain(`00000  ${body.subarray(0, 32).toString('hex')}`);
      expect(out).toContain('verdict     quarantined (not_utf8)');
      expect(out).not.toMatch(/^ verdict {2}applied/m);
    });

    it('tells text of others from its own, and escapes it in JSON', async () => {
      const id = await kept('{"note":"\u001b]0;x\u0007\nverdict     applied"}', { reason: 'missing_field' });
      const text = (await finality('callbacks', 'show', id)).out;
      expect(text).toContain('  | verdict     applied');
      expect(text).not.toContain('\u001b');
      const { out, json } = await finality('callbacks', 'show', id, '--json');
      expect(out).not.toContain('\u001b');
      expect(json.body.text).toBe('{"note":"\u001b]0;x\u0007\nverdict     applied"}');
    });

    it('says whose key signed it, what is read in it, and what it caused', async () => {
      const payment = await openPayment(shop);
      await shop.callback(said(payment));
      const list = await finality('callbacks', 'list', '--payment', payment.id, '--json');
      const { id } = list.json.items[0] as { id: string };
      const { json, code } = await finality('callbacks', 'show', id, '--json');
      expect(code).toBe(0);
      expect(json).toMatchObject({
        paymentId: payment.id,
        hash: 'fits',
        signature: { signer: 'merchant', fits: true },
        says: { kind: 'payment', report: { status: 'paid', trackId: payment.trackId } },
      });
      expect(json.events.map(({ type }: { type: string }) => type)).toEqual(expect.arrayContaining(paidInFull));
      const { out } = await finality('callbacks', 'show', id);
      expect(out).toContain('signature   good, by a merchant key that is configured now');
      expect(out).toMatch(/\| #6 PaymentPaid at .* by gateway/);
    });

    it('ends with 1 where there is none', async () => {
      const none = await finality('callbacks', 'show', '01890000-0000-7000-8000-000000000000');
      expect([none.code, none.err]).toEqual([1, expect.stringContaining('There is no message')]);
      expect((await finality('callbacks', 'show', 'nonsense')).err).toContain('"nonsense" is not an id');
    });
  });

  describe('reprocess', () => {
    it('applies what a newer version can read, once, and leaves the evidence where it is', async () => {
      const payment = await openPayment(shop);
      const id = await kept(said(payment));
      expect(await paid(payment)).toEqual(untouched);
      const first = await finality('callbacks', 'reprocess', '--id', id);
      expect([first.code, first.out]).toEqual([
        0,
        expect.stringContaining(`${id}  applied to ${payment.id}: #3 GatewayReported`),
      ]);
      await expectPaidOnce(payment);
      const again = await finality('callbacks', 'reprocess', '--id', id);
      expect([again.code, again.out]).toEqual([0, expect.stringContaining('was applied before')]);
      await expectPaidOnce(payment);
      expect(await rowsAbout(payment.trackId)).toEqual([
        { status: 'matched', receipts: 1, loose: true },
        { status: 'applied', receipts: 1, loose: false },
      ]);
      const { json } = await finality('callbacks', 'show', id, '--json');
      expect(json).toMatchObject({ status: 'matched', paymentId: payment.id });
      expect(json.events.slice(0, 4)).toMatchObject(
        paidInFull.map((type) => ({ type, actor: expect.stringMatching(/^operator:.+@.+/) })),
      );
    });

    it('takes money that bears no date for there when its callback came, however late it is reprocessed', async () => {
      const payment = await openPayment(shop);
      const id = await kept(said(payment, { txs: [tx({ date: null })] }));
      await finality('callbacks', 'reprocess', '--id', id);
      const { json } = await finality('callbacks', 'show', id, '--json');
      const { events } = await store.read(payment.id);
      const seen = events.find(({ type }) => type === 'TransferDetected');
      expect(seen?.data['transfer']).toMatchObject({ firstSeenAt: json.receivedAt });
    });

    it('applies it once where the service and operators do so at the same moment', async () => {
      const payment = await openPayment(shop);
      const body = said(payment);
      const reading = readCallback(Buffer.from(body));
      if (reading.kind !== 'payment') throw new Error('not a payment');
      const id = await kept(body, {
        status: 'unmatched' as never,
        reason: 'unknown_track_id',
        trackId: payment.trackId,
      });
      const bus = shop.service.app.get(CommandBus);
      const once = () =>
        bus.execute<ReprocessMessage, Reprocessed>(
          new ReprocessMessage(id, { actor: 'operator:support@shop.example', retiredKey: false, dryRun: false }),
        );
      const cause = { actor: 'reconciler', correlationId: randomUUID(), causationId: randomUUID() };
      const unmatched = shop.service.app.get(ApplyUnmatched);
      await Promise.all([
        once(),
        unmatched.apply(payment.trackId, cause),
        once(),
        finality('callbacks', 'reprocess', '--id', id),
        once(),
      ]);
      await expectPaidOnce(payment);
      expect(await rowsAbout(payment.trackId)).toEqual([
        { status: 'matched', receipts: 1, loose: true },
        { status: 'applied', receipts: 1, loose: false },
      ]);
      // The gateway sends the same again: it is known.
      await shop.callback(body);
      await expectPaidOnce(payment);
      expect(contentOf(reading.report)).toContain(payment.trackId);
    });

    it('foresees that one about a deposit address would be applied, and applies it', async () => {
      const { body } = await shop.api('POST', '/v1/deposit-addresses', { customerId: 'foreseen', network: 'TRON' });
      const { id: address, trackId } = body;
      const txs = [tx({ tx_hash: 'd'.repeat(64) })];
      const told = said({ id: address, trackId } as never, { type: 'static_address', amount: 0, txs });
      const id = await kept(told, { status: 'unmatched' as never, reason: 'unknown_track_id', trackId });
      const options = { actor: 'operator:support@shop.example', retiredKey: false };
      const bus = shop.service.app.get(CommandBus);
      const ask = (dryRun: boolean) =>
        bus.execute<ReprocessMessage, Reprocessed>(new ReprocessMessage(id, { ...options, dryRun }));
      expect(await ask(true)).toMatchObject({ outcome: 'would_match', reason: null });
      expect(await ask(false)).toMatchObject({ outcome: 'matched' });
      expect((await shop.api('GET', `/v1/deposit-addresses/${address}`)).body.deposits).toBe(1);
    });

    it('goes through all that fits, and tells why something stays', async () => {
      const payment = await openPayment(shop);
      const reason = 'text_too_long';
      const good = await kept(said(payment), { reason });
      const unread = await kept('{"track_id"', { reason });
      const unknown = await kept(said({ id: randomUUID(), trackId: '777000114' }), { reason });
      const other = await kept(said({ id: (await openPayment(shop)).id, trackId: payment.trackId }), { reason });
      const payout = payoutSaid('777000115');
      const gone = await kept(payout, { reason, key: payoutKey });
      const { code, json } = await finality('callbacks', 'reprocess', '--reason', reason, '--json');
      expect(code).toBe(1);
      expect(json).toMatchObject({
        applied: 1,
        kept: { not_json: 1, unknown_track_id: 1, identity_mismatch: 1, unknown_payout: 1 },
        results: [good, unread, unknown, other, gone].map((id) => ({ id })),
      });
      await expectPaidOnce(payment);
      const stays = await finality('callbacks', 'reprocess', '--reason', reason);
      expect(stays.out).toContain('cannot be read (not_json)');
      expect(stays.out).toContain('no payout of ours has its track id');
    });

    it('believes a key that was rotated away only where the operator says so', async () => {
      const payment = await openPayment(shop);
      const id = await kept(said(payment));
      const afterRotation = finalityBeside(shop, { OXAPAY_MERCHANT_API_KEY: 'A-KEY-THAT-CAME-LATER' });
      expect((await afterRotation('callbacks', 'show', id)).out).toContain(
        'signed with a key that is not configured any more',
      );
      const refused = await afterRotation('callbacks', 'reprocess', '--id', id);
      expect([refused.code, refused.out]).toEqual([
        1,
        expect.stringContaining('unknown_key, signed with a key that is not configured any more'),
      ]);
      expect(await paid(payment)).toEqual(untouched);
      const believed = await afterRotation('callbacks', 'reprocess', '--id', id, '--signed-with-retired-key');
      expect([believed.code, believed.out]).toEqual([0, expect.stringContaining(`applied to ${payment.id}`)]);
      await expectPaidOnce(payment);
    });

    it('refuses what was changed in the database, and a key that may not speak of it, whatever the operator says', async () => {
      const payment = await openPayment(shop);
      const changed = await kept(said(payment, { status: 'Paying' }));
      await shop.database.pool.query('update inbox set body = $2 where id = $1', [changed, Buffer.from(said(payment))]);
      const bare = await kept(said(payment, { status: 'Paying' }));
      await shop.database.pool.query('update inbox set hash = null where id = $1', [bare]);
      const forged = await kept(said(payment), { key: payoutKey });
      const { code, json } = await finality(
        'callbacks',
        'reprocess',
        '--id',
        changed,
        bare,
        forged,
        '--signed-with-retired-key',
        '--json',
      );
      expect(code).toBe(1);
      expect(json.results.map(({ reason }: { reason: string }) => reason)).toEqual([
        'hash_differs',
        'hash_missing',
        'wrong_key',
      ]);
      expect(await paid(payment)).toEqual(untouched);
      expect((await finality('callbacks', 'show', changed)).out).toContain('NOT as it was stored');
    });

    it('keeps a payout callback as evidence of the payment that gave money back by it, once', async () => {
      const payment = await openPayment(shop);
      const id = await kept(payoutSaid('777000116'), { key: payoutKey });
      const known = `insert into stream_key (scope, key, stream_id) values ('payout:default', '777000116', $1)`;
      await shop.database.pool.query(known, [payment.id]);
      const first = await finality('callbacks', 'reprocess', '--id', id);
      expect([first.code, first.out]).toEqual([0, expect.stringContaining(`applied to ${payment.id}: nothing new`)]);
      await finality('callbacks', 'reprocess', '--id', id);
      expect(await rowsAbout('777000116')).toEqual([
        { status: 'matched', receipts: 1, loose: true },
        { status: 'applied', receipts: 1, loose: false },
      ]);
    });

    it('C06: stops between two callbacks on Ctrl-C, and goes on where it stopped', async () => {
      const payment = await openPayment(shop);
      const reason = 'too_many_transfers';
      await Promise.all(Array.from({ length: 1000 }, (_, n) => kept(`{"track_id":"${String(n)}`, { reason })));
      await kept(said(payment), { reason });
      const half = await finality.interrupted('callbacks', 'reprocess', '--reason', reason);
      expect([half.code, half.err]).toEqual([130, expect.stringContaining('stopped; what was done is whole')]);
      expect(half.out).not.toContain(payment.id);
      const { code, json } = await finality('callbacks', 'reprocess', '--reason', reason, '--json');
      expect([code, json]).toMatchObject([1, { applied: 1, kept: { not_json: 1000 } }]);
      await expectPaidOnce(payment);
    });

    it('C01: on production it says what it would do, and does it with --yes', async () => {
      const payment = await openPayment(shop);
      const id = await kept(said(payment));
      const production = finalityBeside(shop, inProduction(shop));
      const planned = await production('callbacks', 'reprocess', '--id', id);
      expect([planned.code, planned.out]).toEqual([
        1,
        expect.stringContaining(`${id}  would be applied to ${payment.id}`),
      ]);
      expect(planned.out).toContain('Nothing was changed. Add --yes to do it.');
      expect(await paid(payment)).toEqual(untouched);
      expect((await production('callbacks', 'reprocess', '--id', id, '--yes')).code).toBe(0);
      await expectPaidOnce(payment);
    });
  });

  it.each([
    [['list', '--limit', '0'], 64, '--limit takes a whole number'],
    [['list', '--from', 'yesterday'], 64, '--from takes an RFC 3339 time'],
    [['list', '--status', 'lost'], 64, 'Allowed choices are applied'],
    [
      ['reprocess', '--id', '01890000-0000-7000-8000-000000000000', '--status', 'unmatched'],
      64,
      'no filter goes with --id',
    ],
    [['reprocess', '--id', '01890000-0000-7000-8000-000000000000'], 1, 'There is no message'],
  ])('answers %j with exit code %d and a sentence', async (args, exit, sentence) => {
    const { code, err } = await finality('callbacks', ...args);
    expect([code, err]).toEqual([exit, expect.stringContaining(sentence)]);
  });
});
