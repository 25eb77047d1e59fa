// A worker in a process of its own, from the build: a test kills it while it delivers.
const [, , dist, url] = process.argv;
const load = (path) => import(`${dist}/${path}`);
const { createPool } = await load('platform/database/database.pg.js');
const { SystemClock } = await load('platform/clock.js');
const { RandomIds } = await load('platform/ids.js');
const { EventStore } = await load('platform/event-store/event-store.pg.js');
const { Jobs } = await load('platform/jobs/jobs.pg.js');
const { FulfillmentStreams } = await load('fulfillment/fulfillment-streams.pg.js');
const { WebhookDelivery, deliverWebhookTask } = await load('fulfillment/webhook-delivery.job.js');
const { WebhookEndpoints } = await load('fulfillment/webhook-endpoints.pg.js');
const { WebhookClient } = await load('fulfillment/webhook.client.js');

const rules = { sandbox: true, publicUrl: 'https://pay.example.com' };
const [pool, clock, ids] = [createPool(url), new SystemClock(), new RandomIds()];
const jobs = new Jobs({ url, concurrency: 1, pollIntervalMs: 50 });
const endpoints = new WebhookEndpoints(pool, clock, ids, rules);
const streams = new FulfillmentStreams(new EventStore({ url }), clock, ids);
const client = new WebhookClient({ ...rules, userAgent: 'Finality/0.1.0' });
const delivery = new WebhookDelivery(pool, endpoints, client, jobs, streams, clock);
await jobs.start({ [deliverWebhookTask]: delivery.task });
