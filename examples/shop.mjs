// A shop that delivers what was paid: the receiving side of Finality's webhooks, whole.
// Run it beside `npm start`: node examples/shop.mjs
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';

const finality = process.env.FINALITY_URL ?? 'http://localhost:3000';
const port = Number(process.env.SHOP_PORT ?? 4000);
const mine = `http://localhost:${port}/webhooks`;
const kept = `${process.env.DATA_DIR ?? '.finality'}/sandbox-credentials.json`;
const apiKey = process.env.API_KEY ?? JSON.parse(readFileSync(kept, 'utf8')).apiKey;

const api = async (method, path, body) => {
  const headers = { authorization: `Bearer ${apiKey}`, ...(body && { 'content-type': 'application/json' }) };
  const answer = await fetch(finality + path, { method, headers, ...(body && { body: JSON.stringify(body) }) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.status === 204 ? null : answer.json();
};

// The secret is shown once, so a shop keeps it; this one has no memory and registers anew at each start.
for (const { id, url } of (await api('GET', '/v1/webhook-endpoints')).items) {
  if (url === mine) await api('DELETE', `/v1/webhook-endpoints/${id}`);
}
const { secret } = await api('POST', '/v1/webhook-endpoints', { url: mine, events: ['fulfillment.requested'] });
const webhook = new Webhook(secret);
const delivered = new Set();

createServer(async (request, response) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  try {
    // Over the exact bytes; it refuses forgeries and whatever is older than five minutes.
    const { data } = webhook.verify(Buffer.concat(chunks).toString(), request.headers);
    // The same webhook may come twice, its id tells: deliver once.
    if (!delivered.has(request.headers['webhook-id']))
      console.log(`Delivering ${data.orderId}: ${data.amount} ${data.currency} paid.`);
    delivered.add(request.headers['webhook-id']);
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end('{"outcome":"fulfilled","reference":"parcel-1"}');
  } catch (error) {
    response.writeHead(error instanceof WebhookVerificationError ? 401 : 500).end();
  }
}).listen(port, () => console.log(`The shop waits for webhooks at ${mine}.`));
