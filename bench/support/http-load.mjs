// A small HTTP/1.1 client for load: requests are bytes made beforehand, each connection has one request under way.
import net from 'node:net';

/** The bytes of a POST request. */
export const post = (path, body, headers = {}) => {
  const head = { host: '127.0.0.1', 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const lines = Object.entries({ ...head, ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
};

/** The bytes of a GET request. */
export const get = (path, headers = {}) => {
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
};

/** Reads one answer, if it is complete. The service names the length of every answer that is asked for here. */
const answerIn = (bytes) => {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return null;
  const head = bytes.toString('latin1', 0, end);
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? NaN);
  if (Number.isNaN(length)) throw new Error(`an answer without a length: ${head}`);
  if (bytes.length < end + 4 + length) return null;
  return { status: Number(head.slice(9, 12)), body: bytes.toString('utf8', end + 4, end + 4 + length) };
};

/** A connection that asks one thing at a time: `ask(text, answered)`. */
const connect = (port, failed) =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    let [bytes, answered] = [Buffer.alloc(0), null];
    socket.on('data', (chunk) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const answer = answerIn(bytes);
      if (!answer) return;
      bytes = Buffer.alloc(0);
      answered(answer);
    });
    const end = (error) => {
      reject(error);
      failed(error);
    };
    socket.on('error', end);
    socket.on('close', () => end(new Error('the service closed a connection under load')));
    const ask = (text, then) => {
      answered = then;
      socket.write(text);
    };
    const close = () => socket.removeAllListeners('close').removeAllListeners('error').on('error', () => {}).destroy(); // prettier-ignore
    socket.once('connect', () => resolve({ ask, close }));
  });

/** Opens connections, lets `drive` use them until it calls `finished`, and closes them. */
const overConnections = async ({ port, connections }, drive) => {
  let failed;
  const failure = new Promise((_, reject) => {
    failed = reject;
  });
  failure.catch(() => undefined);
  const open = await Promise.all(Array.from({ length: connections }, () => connect(port, failed)));
  const began = performance.now();
  await Promise.race([failure, new Promise((finished) => drive(open, began, finished))]);
  const ms = performance.now() - began;
  for (const connection of open) connection.close();
  return ms;
};

const record = (keepBodies) => {
  const kept = { times: [], statuses: [], bodies: [] };
  const note = (index, { status, body }, ms) => {
    kept.times[index] = ms;
    kept.statuses[index] = status;
    if (keepBodies) kept.bodies[index] = body;
  };
  return { kept, note };
};

/**
 * Sends every request once, the next one of a connection when the one before has been answered (a closed loop), and
 * resolves to how long all took, each one's time (ms), its status, and its body where asked for.
 */
export const sendAll = async ({ port, connections, requests, keepBodies = false }) => {
  const { kept, note } = record(keepBodies);
  const ms = await overConnections({ port, connections }, (open, _began, finished) => {
    let [next, answers] = [0, 0];
    const go = (connection) => {
      if (next === requests.length) return;
      const [index, at] = [next++, performance.now()];
      connection.ask(requests[index], (answer) => {
        note(index, answer, performance.now() - at);
        if (++answers === requests.length) finished();
        else go(connection);
      });
    };
    open.forEach(go);
  });
  return { ms, ...kept };
};

/**
 * Sends requests at a fixed rate, whatever the answers take (an open loop). Each one's time counts from the moment when
 * it was due: a request that had to wait for a connection, because earlier answers were late, has that wait in its time.
 */
export const sendAtRate = async ({ port, connections, requests, ratePerSecond }) => {
  const { kept, note } = record(false);
  const ms = await overConnections({ port, connections }, (open, began, finished) => {
    const idle = [...open];
    let [next, answers] = [0, 0];
    const dueAt = (index) => began + (index * 1000) / ratePerSecond;
    const pump = () => {
      while (idle.length > 0 && next < requests.length && dueAt(next) <= performance.now()) {
        // In turns: one that is left idle is closed by its server.
        const [index, connection] = [next++, idle.shift()];
        connection.ask(requests[index], (answer) => {
          note(index, answer, performance.now() - dueAt(index));
          idle.push(connection);
          if (++answers === requests.length) finished();
          else pump();
        });
      }
    };
    const tick = () => {
      pump();
      if (next < requests.length) setTimeout(tick, 1);
    };
    tick();
  });
  return { ms, ...kept };
};
