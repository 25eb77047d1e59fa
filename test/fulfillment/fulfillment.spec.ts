import { describe, expect, it } from '@jest/globals';
import {
  acceptFulfillment,
  evolveFulfillment,
  fulfillmentStreamOf,
  giveUpFulfillment,
  paymentOfFulfillment,
  reportFulfillment,
  requestFulfillment,
  resumeFulfillment,
  stopFulfillment,
  type Fulfillment,
  type FulfillmentEvent,
} from '../../src/fulfillment/fulfillment.js';
import { Refusal } from '../../src/kernel/refusal.js';

const now = '2026-01-31T12:00:00.000Z';
const request = {
  paymentId: '019c2f00-0000-7000-8000-000000000001',
  messageId: '019c2f00-0000-7000-8000-000000000002',
};
const asked: FulfillmentEvent = { type: 'FulfillmentRequested', data: { ...request, at: now } };
const accepted: FulfillmentEvent = { type: 'FulfillmentAccepted', data: { at: now } };
const unanswered: FulfillmentEvent = { type: 'FulfillmentUnanswered', data: { at: now } };
const report = { outcome: 'fulfilled', via: 'api', reference: 'parcel 7', note: null } as const;
const fulfilled: FulfillmentEvent = { type: 'FulfillmentReported', data: { ...report, at: now } };
const rejected: FulfillmentEvent = { type: 'FulfillmentReported', data: { ...report, outcome: 'rejected', at: now } };

const given = (...events: FulfillmentEvent[]): Fulfillment | null =>
  events.reduce<Fulfillment | null>(evolveFulfillment, null);
const codeOf = (decision: () => unknown): string | null => {
  try {
    decision();
    return null;
  } catch (error) {
    return error instanceof Refusal ? error.code : 'not a refusal';
  }
};

describe('A fulfilment that is asked for while the payment ceases to be good for the goods', () => {
  const stopped = (...before: FulfillmentEvent[]) => [...before, ...stopFulfillment(given(...before), 'refunded', now)];

  it.each([
    ['asked for', [asked]],
    ['promised for later', [asked, accepted]],
    ['given up', [asked, unanswered]],
  ] as const)('is stopped once when it was %s, and goes on where it was', (_, before) => {
    const events = stopped(...before);
    expect(events.at(-1)).toEqual({
      type: 'FulfillmentStopped',
      data: { messageId: request.messageId, reason: 'refunded', at: now },
    });
    expect(given(...events)).toMatchObject({ status: 'stopped', reason: 'refunded' });
    expect(stopFulfillment(given(...events), 'refunded', now)).toEqual([]);
    const resumed = [...events, ...resumeFulfillment(given(...events), now)];
    expect(given(...resumed)).toEqual(given(...before));
    expect(resumeFulfillment(given(...resumed), now)).toEqual([]);
  });

  it.each([
    ['was not asked for', []],
    ['was delivered', [asked, fulfilled]],
    ['was rejected', [asked, rejected]],
  ] as const)('is not stopped when it %s', (_, before) => {
    expect(stopFulfillment(given(...before), 'refunded', now)).toEqual([]);
    expect(resumeFulfillment(given(...before), now)).toEqual([]);
  });

  it('is not given up while it is stopped, and what the application answers to a request under way counts', () => {
    const state = given(...stopped(asked));
    expect(acceptFulfillment(state, now)).toEqual([accepted]);
    expect(given(...stopped(asked), accepted)).toMatchObject({ status: 'stopped', before: 'accepted' });
    expect(acceptFulfillment(given(...stopped(asked), accepted), now)).toEqual([]);
    expect(giveUpFulfillment(state, now)).toEqual([]);
    expect(given(...stopped(asked), unanswered)).toMatchObject({ status: 'stopped' });
    expect(reportFulfillment(state, report, now)).toEqual([fulfilled]);
    expect(given(...stopped(asked), fulfilled)).toMatchObject({ status: 'fulfilled' });
  });
});

describe('A fulfilment', () => {
  it('that was promised for later is given up when its time is over, and at no other', () => {
    expect(giveUpFulfillment(given(asked, accepted), now, 'accepted')).toEqual([unanswered]);
    expect(giveUpFulfillment(given(asked, accepted), now)).toEqual([]);
    expect(giveUpFulfillment(given(asked, accepted, fulfilled), now, 'accepted')).toEqual([]);
    expect(giveUpFulfillment(given(asked), now, 'accepted')).toEqual([]);
  });

  it('is asked for once', () => {
    expect(requestFulfillment(null, request, now)).toEqual([asked]);
    expect(requestFulfillment(given(asked), request, now)).toEqual([]);
    expect(requestFulfillment(given(asked, fulfilled), request, now)).toEqual([]);
  });

  it('is accepted once, and not after it was reported', () => {
    expect(acceptFulfillment(given(asked), now)).toEqual([accepted]);
    expect(acceptFulfillment(given(asked, accepted), now)).toEqual([]);
    expect(acceptFulfillment(given(asked, rejected), now)).toEqual([]);
    expect(acceptFulfillment(null, now)).toEqual([]);
  });

  it.each([
    ['asked for', [asked]],
    ['accepted', [asked, accepted]],
    ['given up', [asked, unanswered]],
  ] as const)('takes a report when it was %s', (_, events) => {
    expect(reportFulfillment(given(...events), report, now)).toEqual([fulfilled]);
    expect(given(...events, fulfilled)).toMatchObject({
      status: 'fulfilled',
      report: { reference: 'parcel 7' },
      reportedAt: now,
    });
  });

  it('has nothing to do when the same outcome is reported again', () => {
    expect(reportFulfillment(given(asked, fulfilled), { ...report, via: 'webhook' }, now)).toEqual([]);
  });

  it('refuses another outcome, and a report before it was asked for', () => {
    expect(codeOf(() => reportFulfillment(given(asked, rejected), report, now))).toBe('fulfillment_already_reported');
    expect(codeOf(() => reportFulfillment(null, report, now))).toBe('not_fulfillable');
  });

  it('is given up only where nothing was answered', () => {
    expect(giveUpFulfillment(given(asked), now)).toEqual([unanswered]);
    for (const events of [[asked, accepted], [asked, fulfilled], [asked, unanswered], []]) {
      expect(giveUpFulfillment(given(...events), now)).toEqual([]);
    }
  });

  it('keeps its state when an event does not fit', () => {
    expect(given(accepted, fulfilled, unanswered)).toBeNull();
    expect(given(asked, fulfilled, rejected, unanswered, accepted)).toEqual(given(asked, fulfilled));
  });
});

describe("A fulfilment's stream", () => {
  it('is named after its payment, and leads back to it', () => {
    const stream = fulfillmentStreamOf(request.paymentId);
    expect(stream).toBe('019c2f00-0000-8000-8000-000000000001');
    expect(paymentOfFulfillment(stream)).toBe(request.paymentId);
  });

  it('exists for payments only', () => {
    expect(() => fulfillmentStreamOf('019c2f00-0000-4000-8000-000000000001')).toThrow('version 7');
    expect(() => paymentOfFulfillment(request.paymentId)).toThrow('version 8');
  });
});
