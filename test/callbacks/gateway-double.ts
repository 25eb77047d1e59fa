import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The gateway's REST side, answering whatever the test wants; its callbacks are sent by the test itself. */
export interface GatewayDouble {
  port: number;
  /** Track ids that it was asked about, in order. */
  asked: string[];
  /** Merchant keys that requests carried. */
  keys: Set<string>;
  /** The track id of the next invoice, as JSON text (`"7"` or `7`). */
  nextTrackId(json: string): void;
  /** Runs once while the next invoice is being made: its id is taken, its answer not sent yet. */
  beforeAnswer(hook: (trackId: string, orderId: string) => Promise<void>): void;
  /** What it says of a payment from now on; it knows of none otherwise. */
  knows(trackId: string, payment: object): void;
  close(): Promise<void>;
}

const envelope = (status: number, data: string): string =>
  `{"data":${data},"message":"${status === 200 ? 'Operation completed successfully!' : 'Not found'}","error":{},"status":${String(status)},"version":"1.0.0"}`;

export async function startGatewayDouble(): Promise<GatewayDouble> {
  const asked: string[] = [];
  const keys = new Set<string>();
  const known = new Map<string, object>();
  let counter = 100_000_000;
  let chosen: string | null = null;
  let hook: ((trackId: string, orderId: string) => Promise<void>) | null = null;

  const invoice = async (body: string): Promise<string> => {
    const json = chosen ?? `"${String(++counter)}"`;
    const waiting = hook;
    [chosen, hook] = [null, null];
    const { order_id, lifetime } = JSON.parse(body) as { order_id: string; lifetime: number };
    const trackId = json.replaceAll('"', '');
    await waiting?.(trackId, order_id);
    const now = Math.floor(Date.now() / 1000);
    const url = `http://pay.example/5/${trackId}`;
    return envelope(
      200,
      `{"track_id":${json},"payment_url":"${url}","expired_at":${String(now + lifetime * 60)},"date":${String(now)}}`,
    );
  };

  const answer = async (method: string, path: string, body: string): Promise<string> => {
    if (method === 'POST') return invoice(body);
    const trackId = /^\/v1\/payment\/([0-9A-Za-z_-]+)$/.exec(path)?.[1];
    if (trackId === undefined) return envelope(200, '{"list":[],"meta":{"page":1,"last_page":1,"total":0}}');
    asked.push(trackId);
    const payment = known.get(trackId);
    return payment ? envelope(200, JSON.stringify(payment)) : envelope(404, 'null');
  };

  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    keys.add(String(request.headers['merchant_api_key']));
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      void answer(request.method ?? '', request.url ?? '', Buffer.concat(parts).toString()).then((text) => {
        response.writeHead(200, { 'content-type': 'application/json' }).end(text);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    keys,
    nextTrackId: (json) => {
      chosen = json;
    },
    beforeAnswer: (given) => {
      hook = given;
    },
    knows: (trackId, payment) => void known.set(trackId, payment),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}
