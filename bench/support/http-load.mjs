// A small HTTP/1.1 client for load: requests are bytes made beforehand, each connection has one request under way.
import net from 'node:net';

/** The bytes of a POST request. */
export const post = (path, body, headers = {}) => {
  const head = { host: '127.0.0.1', 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
  const lines = Object.entries({ ...head, ...headers }).map(([name, value]) => `${name}: ${value}`);
  return `POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
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

const connect = (port) =>
  new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', reject);
  });

/** Sends requests over one connection until `take` has none left. */
const work = (socket, take, done) =>
  new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    let current = null;
    const next = () => {
      current = take();
      if (!current) return resolve();
      current.at = performance.now();
      socket.write(current.text);
    };
    socket.on('data', (chunk) => {
      bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk]);
      const answer = answerIn(bytes);
      if (!answer) return;
      bytes = Buffer.alloc(0);
      done(current.index, answer, performance.now() - current.at);
      next();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the service closed a connection under load')));
    next();
  });

/**
 * Sends every request once and resolves to how long all took, each one's time (ms), its status, and its body where
 * asked for.
 */
export const sendAll = async ({ port, connections, requests, keepBodies = false }) => {
  const sockets = await Promise.all(Array.from({ length: connections }, () => connect(port)));
  const [times, statuses, bodies] = [[], [], []];
  let at = 0;
  const take = () => (at < requests.length ? { index: at, text: requests[at++] } : null);
  const done = (index, { status, body }, ms) => {
    times[index] = ms;
    statuses[index] = status;
    if (keepBodies) bodies[index] = body;
  };
  const began = performance.now();
  await Promise.all(sockets.map((socket) => work(socket, take, done)));
  const ms = performance.now() - began;
  for (const socket of sockets) socket.removeAllListeners('close').destroy();
  return { ms, times, statuses, bodies };
};
