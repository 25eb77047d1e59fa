import type { FastifyInstance } from 'fastify';
import { Histogram, type Registry } from 'prom-client';

/** Seconds; OpenTelemetry's advice for this metric, thinned out. */
const durations = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

type Series = Pick<Histogram.Internal<string>, 'observe'>;

/**
 * Measures every request under OpenTelemetry's name for it, by route pattern (`none` for an address where nothing is),
 * method and class of status. To be called before the routes are declared.
 */
export function measureRequests(server: FastifyInstance, registry: Registry): void {
  const histogram = new Histogram({
    name: 'http_server_request_duration_seconds',
    help: 'From the first byte of a request to the last of its answer',
    labelNames: ['http_route', 'http_request_method', 'http_response_status_class'],
    buckets: durations,
    registers: [registry],
  });
  const seriesOf = (route: string, method: string): ((status: number) => Series) => {
    const byClass = new Map<number, Series>();
    return (status) => {
      const first = Math.floor(status / 100);
      const known = byClass.get(first);
      if (known) return known;
      const series = histogram.labels(route, method, `${String(first)}xx`);
      byClass.set(first, series);
      return series;
    };
  };
  server.addHook('onRoute', (route) => {
    if (route.url === '*') return;
    const series = seriesOf(route.url, [route.method].flat().join(' '));
    const others = [route.onResponse ?? []].flat();
    route.onResponse = [
      (_request, reply, done): void => {
        // A stream takes as long as somebody watches.
        if (!/^text\/event-stream/.test(String(reply.getHeader('content-type'))))
          series(reply.statusCode).observe(reply.elapsedTime / 1000);
        done();
      },
      ...others,
    ];
  });
  // Of an address where nothing is, neither the path nor the method is from a closed list.
  const nowhere = seriesOf('none', 'any');
  server.addHook('onResponse', (request, reply, done) => {
    if (request.is404) nowhere(reply.statusCode).observe(reply.elapsedTime / 1000);
    done();
  });
}
