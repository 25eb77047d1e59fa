// One HTTP exchange; null where no whole answer came.
import http from 'node:http';

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

export const exchange = (port, path, { method = 'GET', headers = {}, body, timeoutMs = 5000 } = {}) =>
  new Promise((resolve) => {
    const bytes = body === undefined ? Buffer.alloc(0) : Buffer.from(body);
    const length = body === undefined ? {} : { 'content-length': bytes.length };
    const options = { host: '127.0.0.1', port, path, method, agent, headers: { ...headers, ...length } };
    const request = http.request(options, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', () => resolve(null));
      answer.on('close', () => {
        if (!answer.complete) return resolve(null);
        resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString() });
      });
    });
    request.on('error', () => resolve(null));
    request.setTimeout(timeoutMs, () => request.destroy());
    request.end(bytes);
  });

export const jsonOf = (answer) => {
  try {
    return answer && JSON.parse(answer.text);
  } catch {
    return null;
  }
};

/** Listens on a free port of 127.0.0.1; `act` gets each request with its body. */
export const listen = async (act) => {
  const server = http.createServer((request, response) => {
    const parts = [];
    request.on('data', (part) => parts.push(part));
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    request.on('end', () => void act(request, Buffer.concat(parts), response));
  });
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  };
  return { port: server.address().port, close };
};
