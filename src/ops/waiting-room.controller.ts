import { createServer } from 'node:http';
import { Refusal } from '../kernel/refusal.js';
import { problemOf } from '../platform/http/problem.js';

export interface WaitingRoom {
  /** Stops listening; what is connected is cut off. */
  close(): Promise<void>;
}

const refusal = problemOf(new Refusal('service_unavailable', 'The service is starting; please repeat the request.'));
const notReady = { status: 'unavailable', checks: { database: 'down' } };

/**
 * Answers in the service's place while the database it was given is not there: alive, not ready, and 503 to everything
 * else, so that the gateway and the callers repeat what they have to say. Rejects where the port cannot be had.
 */
export async function openWaitingRoom(port: number, host: string): Promise<WaitingRoom> {
  const server = createServer((request, response) => {
    const alive = request.url === '/health/live';
    const body = alive ? { status: 'ok' } : request.url === '/health/ready' ? notReady : refusal;
    const type = body === refusal ? 'application/problem+json' : 'application/json; charset=utf-8';
    response.writeHead(alive ? 200 : 503, {
      'content-type': type,
      connection: 'close',
      ...(alive ? {} : { 'retry-after': '30' }),
    });
    response.end(JSON.stringify(body));
    // Nobody reads what was sent; the connection is closed behind the answer.
    request.resume();
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
