// A worker in a process of its own, from the build: a test kills it while it delivers.
const [, , dist, url] = process.argv;
const load = (path) => import(`${dist}/${path}`);
const { createPool } = await load('platform/database/database.pg.js');
const { SystemClock } = await load('platform/clock.js');
const { RandomIds } = await load('platform/ids.js');
const { EventStore } = await load('platform/event-store/event-store.pg.js');
const { EndpointStreams } = await load('fulfillment/endpoint-streams.pg.js');
const { FulfillmentStreams } = await load('fulfillment/fulfillment-streams.pg.js');
const { WebhookDelivery } = await load('fulfillment/webhook-delivery.job.js');
const { WebhookOutbox } = await load('fulfillment/webhook-outbox.pg.js');
const { WebhookClient } = await load('fulfillment/webhook.client.js');

const rules = { sandbox: true, publicUrl: 'https://pay.example.com' };
const [pool, clock, ids, store] = [createPool(url), new SystemClock(), new RandomIds(), new EventStore({ url })];
const outbox = new WebhookOutbox(pool, clock, ids);
const client = new WebhookClient({ ...rules, userAgent: 'Finality/0.1.0' });
const streams = new FulfillmentStreams(store, clock, ids);
const delivery = new WebhookDelivery(outbox, client, streams, new EndpointStreams(store, clock), clock);
setInterval(() => void delivery.tick(), 50);
