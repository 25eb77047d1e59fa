import { AsyncLocalStorage } from 'node:async_hooks';
import { SpanStatusCode, type Attributes, type Span, type SpanKind } from '@opentelemetry/api';
import { spanIdOf, traceIdOf, traceparentOf, type Origin } from './trace-context.js';

/** What a span is begun with. */
export interface SpanStart {
  name: string;
  traceId: string;
  /** Null at the beginning of a trace. */
  parentSpanId: string | null;
  /** Its own id; null: a random one. */
  spanId: string | null;
  kind: SpanKind | undefined;
  /** Never a secret, an address, an e-mail or a body. */
  attributes: Attributes;
}

/** Begins spans; there is one while traces are exported. */
export type SpanMaker = (start: SpanStart) => Span;

/** What may be said about a span once its outcome is known. */
export type Facts = (facts: Attributes) => void;

export interface SpanOptions {
  /** Whose trace it is in, and what caused it; without one it belongs to what is going on here. */
  of?: Origin | null;
  kind?: SpanKind;
  attributes?: Attributes;
}

/** What is going on: everything that is logged and begun in it has this correlation id. */
interface Scope {
  correlationId: string;
  span: Span;
}

/*
 * Entered only while traces are exported: from its first use on, Node.js 20 follows every promise of the process for it,
 * which costs a callback a quarter more. What needs a correlation id without that is handed it.
 */
const scopes = new AsyncLocalStorage<Scope>();
const ignore: Facts = () => undefined;
let maker: SpanMaker | null = null;

/** From now on spans are made by `make`; one process has one. Returns how to end that. */
export function makeSpansBy(make: SpanMaker): () => void {
  maker = make;
  return () => {
    if (maker === make) maker = null;
  };
}

/** The correlation id of what is going on; null where nothing that has one is, and while no traces are exported. */
export const currentCorrelation = (): string | null => (maker && scopes.getStore()?.correlationId) ?? null;

/** Runs `work` under a correlation id in a span that somebody else ends; as it is where there is none. */
export const within = <T>(correlationId: string, span: Span | null, work: () => T): T =>
  span === null ? work() : scopes.run({ correlationId, span }, work);

/** Runs `work` as nobody's: what it says has to do with no request or message in particular. */
export const apart = <T>(work: () => T): T => scopes.exit(work);

/** The header `traceparent` for a request that is sent now; null while no traces are exported. */
export function currentTraceparent(): string | null {
  const span = maker && scopes.getStore()?.span;
  return span ? traceparentOf(span.spanContext()) : null;
}

/** Says more about the span that is going on. */
export function describeSpan(facts: Attributes): void {
  if (maker) scopes.getStore()?.span.setAttributes(facts);
}

/**
 * Runs `work` in a span of its own, and under the correlation id of its origin; as it is while no traces are exported. Of
 * an error the span tells its name, never its message, which may hold what nobody should read.
 */
export async function inSpan<T>(name: string, options: SpanOptions, work: (tell: Facts) => Promise<T>): Promise<T> {
  const span = maker && begin(maker, name, options);
  if (span === null) return work(ignore);
  const scope = { correlationId: options.of?.correlationId ?? currentCorrelation() ?? '', span };
  try {
    return await scopes.run(scope, work, (facts: Attributes) => void span.setAttributes(facts));
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.name : 'unknown' });
    throw error;
  } finally {
    span.end();
  }
}

/** Leaves a span of no length at which what follows `madeId` (an event, a webhook) can find its cause. */
export function mark(name: string, madeId: string, options: SpanOptions): void {
  if (maker) begin(maker, name, options, spanIdOf(madeId))?.end();
}

/** Begins the span of a request that came in; null while no traces are exported. */
export const beginRequest = (start: Omit<SpanStart, 'spanId'>): Span | null =>
  maker && maker({ ...start, spanId: null });

/** Null where nobody knows which trace it belongs to. */
function begin(make: SpanMaker, name: string, options: SpanOptions, spanId: string | null = null): Span | null {
  const { of = null, kind, attributes = {} } = options;
  const here = scopes.getStore();
  const correlationId = of?.correlationId ?? here?.correlationId;
  if (correlationId === undefined) return null;
  const around = here?.correlationId === correlationId ? here.span : null;
  const cause = of?.causeId ?? null;
  const parentSpanId = around?.spanContext().spanId ?? (cause === null ? null : spanIdOf(cause));
  return make({ name, traceId: traceIdOf(correlationId), parentSpanId, spanId, kind, attributes });
}
