import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span as it was exported. */
export interface ExportedSpan {
  traceId: string;
  spanId: string;
  /** Empty at the beginning of a trace. */
  parentSpanId: string;
  name: string;
  failed: boolean;
  attributes: Record<string, unknown>;
}

interface AnyValue {
  stringValue?: string;
  intValue?: number | string;
  boolValue?: boolean;
  arrayValue?: { values: AnyValue[] };
}

interface Batch {
  resourceSpans: {
    resource: { attributes: { key: string; value: AnyValue }[] };
    scopeSpans: {
      spans: {
        traceId: string;
        spanId: string;
        parentSpanId?: string;
        name: string;
        status: { code?: number };
        attributes: { key: string; value: AnyValue }[];
      }[];
    }[];
  }[];
}

const valueOf = ({ stringValue, intValue, boolValue, arrayValue }: AnyValue): unknown =>
  arrayValue ? arrayValue.values.map(valueOf) : (stringValue ?? boolValue ?? Number(intValue));

/** A receiver of OTLP over HTTP in JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"). */
export class Collector {
  readonly spans: ExportedSpan[] = [];
  readonly services = new Set<unknown>();
  /** Every body as it came. */
  readonly bodies: string[] = [];
  private readonly server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const known = request.method === 'POST' && request.url === '/v1/traces';
      if (known) this.take(Buffer.concat(chunks).toString());
      response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' }).end('{}');
    });
  });

  async open(): Promise<this> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get url(): string {
    return `http://127.0.0.1:${String((this.server.address() as AddressInfo).port)}`;
  }

  ofTrace(traceId: string): ExportedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private take(body: string): void {
    this.bodies.push(body);
    for (const { resource, scopeSpans } of (JSON.parse(body) as Batch).resourceSpans) {
      for (const { key, value } of resource.attributes) if (key === 'service.name') this.services.add(valueOf(value));
      for (const { traceId, spanId, parentSpanId = '', name, status, attributes } of scopeSpans.flatMap((s) => s.spans))
        this.spans.push({
          traceId,
          spanId,
          parentSpanId,
          name,
          failed: status.code === 2,
          attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)])),
        });
    }
  }
}
