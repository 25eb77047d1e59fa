import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to the database that a test can break. */
export interface FailingDatabase {
  url: string;
  /** `up` passes everything on; `down` refuses connections and ends those that stand; `silent` keeps them and answers nothing. */
  set(state: 'up' | 'down' | 'silent'): void;
  close(): Promise<void>;
}

export async function failingDatabase(databaseUrl: string): Promise<FailingDatabase> {
  const target = new URL(databaseUrl);
  const sockets = new Set<Socket>();
  let state: 'up' | 'down' | 'silent' = 'up';
  const endAll = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((client) => {
    if (state === 'down') {
      client.destroy();
      return;
    }
    const upstream = connect({ host: target.hostname, port: Number(target.port || 5432) });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => {
        if (state === 'up') to.write(bytes);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(databaseUrl);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    set: (next) => {
      // What was swallowed cannot be given back: a connection that fell silent is dead when the database returns.
      if (next !== 'silent' && state !== next) endAll();
      state = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        endAll();
      }),
  };
}
