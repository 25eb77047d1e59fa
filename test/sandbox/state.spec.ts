import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../src/platform/clock.js';
import { readClockOffset } from '../../src/sandbox/journal.job.js';
import { merchantKey, World } from './support.js';

let folder: string;
let stateFile: string;
let running: World[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sandbox-'));
  stateFile = join(folder, 'state', 'sandbox.jsonl');
});
afterEach(async () => {
  for (const world of running) await world.stop();
  running = [];
  rmSync(folder, { recursive: true });
});

async function start(): Promise<World> {
  const world = await new World(new SystemClock(readClockOffset(stateFile)), { stateFile }).start();
  running.push(world);
  return world;
}

async function restart(world: World): Promise<World> {
  await world.stop();
  running = running.filter((other) => other !== world);
  return start();
}

describe('A restarted sandbox', () => {
  it('knows its payments, its payouts and its time', async () => {
    const first = await start();
    const trackId = await first.invoice({ order_id: 'KEPT' });
    await first.play('exact', trackId);
    const payout = await first.payout('POST', '/payout', { address: 'a', currency: 'BTC', amount: 1 });
    await first.advance(5000);
    const known = await first.information(trackId);
    const second = await restart(first);
    expect(second.clock.offset).toBe(5_000_000);
    expect(await second.information(trackId)).toEqual(known);
    expect((await second.payout('GET', `/payout/${payout.json.data.track_id}`)).json.data.status).toBe('confirmed');
    expect(Number(await second.invoice())).toBeGreaterThan(Number(payout.json.data.track_id));
  });

  it('goes on with callbacks that nobody has acknowledged', async () => {
    const first = await start();
    first.receiver.answer = () => ({ status: 500, body: '' });
    const trackId = await first.invoice();
    await first.control(`/payments/${trackId}/transfers`, { percent: 100 });
    const second = await restart(first);
    await second.advance(300);
    const [{ attempts }] = (await second.view(trackId)).callbacks;
    expect(attempts).toHaveLength(3);
  });

  it('forgets nothing that it has answered, even when it is killed', async () => {
    const first = await start();
    const trackId = await first.invoice();
    // What is on disk at the moment of the answer is all that a killed process leaves behind.
    const left = readFileSync(stateFile);
    await first.stop();
    running = [];
    writeFileSync(stateFile, left);
    appendFileSync(stateFile, '{"kind":"payment","id":"1","val');
    const second = await start();
    expect((await second.information(trackId)).status).toBe('new');
  });

  it('keeps one file, readable by its owner alone, and no key in it', async () => {
    const world = await start();
    await world.play('exact', await world.invoice());
    expect(readdirSync(join(folder, 'state'))).toEqual(['sandbox.jsonl']);
    expect(statSync(stateFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(stateFile, 'utf8')).not.toContain(merchantKey);
  });

  it('refuses a file that is not its own', async () => {
    const other = join(folder, 'notes.txt');
    writeFileSync(other, 'my notes\n');
    expect(() => readClockOffset(other)).toThrow('is not a state file of the sandbox gateway');
    const world = new World(undefined, { stateFile: other });
    await expect(world.start()).rejects.toThrow('is not a state file');
    await world.stop();
    expect(readFileSync(other, 'utf8')).toBe('my notes\n');
  });
});

describe('A reset', () => {
  it('forgets payments, payouts and faults, for good, but never gives out a track id twice', async () => {
    const first = await start();
    const trackId = await first.invoice();
    await first.control('/faults', { api: { errorRate: 1 } }, 'PUT');
    expect((await first.control('/reset')).json).toEqual({ reset: true });
    expect((await first.merchant('GET', `/payment/${trackId}`)).status).toBe(404);
    const after = await first.invoice();
    const second = await restart(first);
    expect((await second.merchant('GET', `/payment/${trackId}`)).status).toBe(404);
    expect((await second.information(after)).status).toBe('new');
    expect(Number(after)).toBeGreaterThan(Number(trackId));
  });
});

describe('The clock', () => {
  it('moves for the sandbox and the service together, and says where it stands', async () => {
    const world = await start();
    const { json } = await world.advance(3600);
    expect(world.clock.offset).toBe(3_600_000);
    expect(world.advanced).toEqual([3600]);
    expect(Math.abs(Date.parse(json.now) - Date.parse(world.clock.now()))).toBeLessThan(2000);
  });

  it('is moved exactly, whatever happens on the way and however many move it', async () => {
    const world = await start();
    for (const lifetime of [15, 16, 17]) await world.invoice({ lifetime });
    await Promise.all([world.advance(1000), world.advance(61), world.advance(7)]);
    expect(world.clock.offset).toBe(1_068_000);
  });

  it.each([{}, { seconds: -1 }, { seconds: 'x' }, { seconds: 1.5 }, { seconds: 1e12 }, { minutes: 1 }])(
    'is not moved by %j',
    async (body) => {
      const world = await start();
      expect((await world.control('/clock/advance', body)).status).toBe(400);
      expect(world.clock.offset).toBe(0);
    },
  );
});
