import { Logger } from '@nestjs/common';
import { ROOT_CONTEXT, SpanKind, trace, TraceFlags } from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  RandomIdGenerator,
  type IdGenerator,
  type SpanExporter,
} from '@opentelemetry/sdk-trace-base';
import { makeSpansBy, type SpanStart } from './spans.js';

export interface TracingOptions {
  /** Where spans go, `/v1/traces` comes behind it. */
  endpoint: string;
  serviceName: string;
  version: string;
  /** Time for one batch to be taken, with all its repetitions, milliseconds; 5000. */
  timeoutMs?: number;
}

/** How long a stop waits for what has not been sent yet. */
const flushWithinMs = 2000;
/** Spans that wait to be sent; more are dropped. */
const waitingAtMost = 8192;

/** Gives the next span the ids that it is to have. */
class ChosenIds implements IdGenerator {
  private readonly random = new RandomIdGenerator();
  next: { traceId: string; spanId: string | null } | null = null;

  generateTraceId(): string {
    return this.next?.traceId ?? this.random.generateTraceId();
  }

  generateSpanId(): string {
    return this.next?.spanId ?? this.random.generateSpanId();
  }
}

/**
 * Exports spans by OTLP over HTTP (JSON), in the background and in batches. A collector that is away costs spans and
 * nothing else: they are dropped, and the log says so once. Resolves what it returns within two seconds.
 */
export function startTracing({
  endpoint,
  serviceName,
  version,
  timeoutMs = 5000,
}: TracingOptions): () => Promise<void> {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint}/v1/traces`,
    timeoutMillis: timeoutMs,
  });
  const ids = new ChosenIds();
  const processor = new BatchSpanProcessor(forgiving(exporter), {
    maxQueueSize: waitingAtMost,
    exportTimeoutMillis: 2 * timeoutMs,
  });
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': serviceName, 'service.version': version }),
    // What follows an event hours later cannot know whether its beginning was sampled.
    sampler: new AlwaysOnSampler(),
    spanLimits: { attributeValueLengthLimit: 256 },
    idGenerator: ids,
    spanProcessors: [processor],
  });
  const tracer = provider.getTracer('finality', version);
  const end = makeSpansBy((start) => {
    ids.next = { traceId: start.traceId, spanId: start.spanId };
    const { name, kind = SpanKind.INTERNAL, attributes } = start;
    return tracer.startSpan(name, { kind, attributes }, parentOf(start));
  });
  return async () => {
    end();
    await within(flushWithinMs, provider.shutdown());
  };
}

const parentOf = ({ traceId, parentSpanId: spanId }: SpanStart): typeof ROOT_CONTEXT =>
  spanId === null
    ? ROOT_CONTEXT
    : trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true });

/** Says in the log that spans are lost, when that begins and when it ends, and lets nobody else hear of it. */
function forgiving(exporter: OTLPTraceExporter): SpanExporter {
  const log = new Logger('tracing');
  let losing = false;
  return {
    export: (spans, done) => {
      exporter.export(spans, ({ code, error }) => {
        const lost = Number(code) > 0;
        if (lost !== losing) {
          losing = lost;
          if (losing) log.warn({ msg: 'traces cannot be exported and are dropped', reason: error?.name });
          else log.log({ msg: 'traces are exported again' });
        }
        done({ code: 0 });
      });
    },
    shutdown: () => exporter.shutdown(),
  };
}

async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}
