import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { apart, currentCorrelation, currentTraceparent, inSpan, mark, within } from '../../src/platform/spans.js';
import { afterEvent, callerOf, originIn, originOf, spanIdOf } from '../../src/platform/trace-context.js';
import { startTracing } from '../../src/platform/tracing.module.js';
import { Collector } from '../support/collector.js';
import { freePort } from '../support/service.js';

const correlationId = '01890000-0000-7000-8000-000000000001';
const eventId = '01890000-0000-7000-8000-000000000002';
const traceId = '01890000000070008000000000000001';

describe('The header traceparent', () => {
  it('names the trace of a caller, whose id becomes a correlation id', () => {
    expect(callerOf('00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01')).toEqual({
      correlationId: '4bf92f35-77b3-4da6-a3ce-929d0e0e4736',
      spanId: '00f067aa0ba902b7',
    });
    expect(callerOf('cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-what-comes-later')).not.toBeNull();
  });

  it.each([
    undefined,
    ['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'],
    '',
    '00-00000000000000000000000000000000-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01',
    'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01',
    '00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01',
    "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\n{'level'",
    `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-${'x'.repeat(300)}`,
  ])('is passed over where it is %j', (header) => {
    expect(callerOf(header)).toBeNull();
  });
});

describe('A trace', () => {
  const ends: (() => Promise<void>)[] = [];
  const open = async (): Promise<Collector> => {
    const collector = await new Collector().open();
    const stop = startTracing({ endpoint: collector.url, serviceName: 'test', version: '0' });
    ends.push(stop, () => collector.close());
    return collector;
  };
  afterEach(async () => {
    for (const end of ends.splice(0)) await end();
  });
  const flushed = async (): Promise<void> => ends[0]?.();

  it('is joined by what follows an event, in another process and without anything being stored', async () => {
    const collector = await open();
    await inSpan('request', { of: { correlationId, causeId: null } }, () => {
      mark('PaymentPaid', eventId, {});
      return Promise.resolve();
    });
    await inSpan('reaction', { of: afterEvent({ id: eventId, correlationId }) }, () => Promise.resolve());
    await flushed();
    const [event, request, reaction] = collector.spans;
    expect([event?.name, request?.name, reaction?.name]).toEqual(['PaymentPaid', 'request', 'reaction']);
    expect(collector.spans.map((span) => span.traceId)).toEqual([traceId, traceId, traceId]);
    expect(request?.parentSpanId).toBe('');
    expect(event).toMatchObject({ parentSpanId: request?.spanId, spanId: spanIdOf(eventId) });
    expect(reaction?.parentSpanId).toBe(event?.spanId);
  });

  it('tells of an error its name, and never its words', async () => {
    const collector = await open();
    const failing = inSpan('work', { of: { correlationId, causeId: null } }, () =>
      Promise.reject(new TypeError('the key is fin_0123456789')),
    );
    await expect(failing).rejects.toThrow(TypeError);
    await flushed();
    expect(collector.spans.map(({ failed }) => failed)).toEqual([true]);
    expect(collector.bodies.join()).toContain('TypeError');
    expect(collector.bodies.join()).not.toContain('fin_');
  });

  it('cuts long values, and begins none where nobody knows which trace it would belong to', async () => {
    const collector = await open();
    await inSpan('nobody knows', {}, () => Promise.resolve());
    await inSpan('long', { of: { correlationId, causeId: null }, attributes: { 'url.path': 'x'.repeat(1000) } }, () =>
      Promise.resolve(),
    );
    await flushed();
    expect(collector.spans.map(({ name }) => name)).toEqual(['long']);
    expect(collector.spans[0]?.attributes['url.path']).toHaveLength(256);
  });

  it('holds up nothing and stops in time where no collector is there, or one that never answers', async () => {
    const silent: Server = createServer(() => undefined);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    ends.push(() => {
      silent.closeAllConnections();
      return new Promise<void>((resolve) => silent.close(() => resolve()));
    });
    for (const port of [await freePort(), (silent.address() as AddressInfo).port]) {
      const endpoint = `http://127.0.0.1:${String(port)}`;
      const stop = startTracing({ endpoint, serviceName: 'test', version: '0', timeoutMs: 300 });
      let done = 0;
      // More than may wait.
      for (let i = 0; i < 10_000; i++)
        await inSpan('work', { of: { correlationId, causeId: null } }, () => Promise.resolve(done++));
      expect(done).toBe(10_000);
      const began = performance.now();
      await stop();
      expect(performance.now() - began).toBeLessThan(3000);
    }
  }, 20_000);
});

describe('While no traces are exported', () => {
  it('nothing goes along and no header is sent: promises are not followed', async () => {
    expect(currentCorrelation()).toBeNull();
    await inSpan('work', { of: originOf({ correlationId, causationId: eventId }) }, async () => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(currentCorrelation()).toBeNull();
      expect(currentTraceparent()).toBeNull();
      expect(apart(currentCorrelation)).toBeNull();
    });
    expect(within(correlationId, null, () => 'done')).toBe('done');
    expect(currentCorrelation()).toBeNull();
  });

  it("a job's payload tells whose it is, where it tells anything", () => {
    expect(originIn({ correlationId, causationId: eventId })).toEqual({ correlationId, causeId: eventId });
    expect(originIn({ correlationId, causationId: correlationId })?.causeId).toBeNull();
    for (const payload of [null, 7, 'text', {}, { correlationId }, { correlationId: 'x', causationId: eventId }])
      expect(originIn(payload)).toBeNull();
  });
});
