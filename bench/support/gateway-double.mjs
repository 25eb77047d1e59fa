// A gateway that opens every invoice, at once or after DELAY_MS: what is measured against it is the service alone.
import { createServer } from 'node:http';

const delayMs = Number(process.env.DELAY_MS ?? 0);
let trackId = 100_000_000;

const invoice = () => {
  const now = Math.floor(Date.now() / 1000);
  const id = String(++trackId);
  return { track_id: id, payment_url: `http://127.0.0.1/pay/${id}`, expired_at: now + 3600, date: now };
};

const server = createServer((request, response) => {
  const opens = request.method === 'POST' && request.url === '/v1/payment/invoice';
  const answer = () => {
    const body = opens
      ? { data: invoice(), message: 'Operation completed successfully!', error: {}, status: 200, version: '1.0.0' }
      : { data: {}, message: 'Not found', error: { message: 'Not found' }, status: 404, version: '1.0.0' };
    const text = JSON.stringify(body);
    response.writeHead(body.status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
    response.end(text);
  };
  request.resume().on('end', () => (delayMs === 0 ? answer() : setTimeout(answer, delayMs)));
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.env.PORT), '127.0.0.1', () => process.stdout.write('ready\n'));
