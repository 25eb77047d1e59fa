import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy in front of the database that can cut a connection at the worst moment. */
export interface CuttingProxy {
  url: string;
  /** Connections that were cut so far. */
  cuts: () => number;
  /**
   * Cut the next `times` connections that send a statement whose name starts with `statement`: `answered` when the
   * server's answer (after its commit) arrives, which the client never sees; `sent` right after passing it on.
   */
  cut(statement: string, when: 'answered' | 'sent', times?: number): void;
  close(): Promise<void>;
}

export async function cuttingProxy(databaseUrl: string): Promise<CuttingProxy> {
  const target = new URL(databaseUrl);
  const plan = { statement: '', when: 'answered', left: 0, cuts: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect({ host: target.hostname, port: Number(target.port || 5432) });
    let doomed = false;
    const cut = (): void => {
      plan.cuts++;
      client.destroy();
      upstream.end();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.end();
      });
    }
    client.on('data', (bytes) => {
      upstream.write(bytes);
      if (plan.left === 0 || !bytes.includes(plan.statement)) return;
      plan.left--;
      if (plan.when === 'sent') cut();
      else doomed = true;
    });
    upstream.on('data', (bytes) => {
      if (doomed) cut();
      else client.write(bytes);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    cuts: () => plan.cuts,
    cut: (statement, when, times = 1) => void Object.assign(plan, { statement, when, left: times }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
