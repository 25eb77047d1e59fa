// Ten receivers of webhooks, of which the last takes every request and never answers. Prints their ports, and answers
// GET /counts on the first with how many each has had, and when the first and the last one came.
import { createServer } from 'node:http';

const receivers = Number(process.env.RECEIVERS);
const counts = Array.from({ length: receivers }, () => 0);
const seen = Array.from({ length: receivers }, () => new Set());
const times = { first: null, last: null };

const receive = (index, request) => {
  counts[index]++;
  seen[index].add(request.headers['webhook-id']);
  times.first ??= Date.now();
  times.last = Date.now();
};

const start = (index) =>
  new Promise((resolve) => {
    const server = createServer((request, response) => {
      request.resume().on('end', () => {
        if (request.url === '/counts') {
          response.end(JSON.stringify({ counts, distinct: seen.map(({ size }) => size), ...times }));
          return;
        }
        receive(index, request);
        if (index < receivers - 1) response.writeHead(204).end();
      });
    });
    server.keepAliveTimeout = 60_000;
    server.listen(0, '127.0.0.1', () => resolve(server.address().port));
  });

const ports = await Promise.all(counts.map((_, index) => start(index)));
process.stdout.write(`${JSON.stringify(ports)}\nready\n`);
