import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server as TcpServer } from 'node:net';

export interface Received {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  rawHeaders: string[];
  body: string;
}

export type Reply = (response: ServerResponse, request: IncomingMessage, index: number) => void;

/** A real HTTP server in the gateway's place, which keeps what it was sent. */
export class GatewayServer {
  readonly received: Received[] = [];
  reply: Reply = (response) => response.end();
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const { method = '', url = '', headers, rawHeaders } = request;
        this.received.push({ method, url, headers, rawHeaders, body: Buffer.concat(parts).toString() });
        this.reply(response, request, this.received.length - 1);
      });
    });
  }

  async start(): Promise<string> {
    return `http://127.0.0.1:${await listen(this.server)}`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await closed(this.server);
  }
}

/** A port that takes connections and never says a word. */
export async function silentPort(): Promise<{ port: number; close(): Promise<void> }> {
  const server = createTcpServer();
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined).resume();
  });
  const port = await listen(server);
  return {
    port,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await closed(server);
    },
  };
}

/** A port of this machine on which nobody listens. */
export async function deadPort(): Promise<number> {
  const server = createTcpServer();
  const port = await listen(server);
  await closed(server);
  return port;
}

async function listen(server: TcpServer): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const closed = (server: TcpServer): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
