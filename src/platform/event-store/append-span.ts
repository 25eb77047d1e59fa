import { SpanKind } from '@opentelemetry/api';
import { inSpan, mark } from '../spans.js';
import { originOf } from '../trace-context.js';
import type { Append, Appended } from './append.js';

/** Traces an append, and each event that it made: what follows an event names that as its cause. */
export const traceAppend = (
  { streamId, events, metadata }: Append,
  write: () => Promise<Appended>,
): Promise<Appended> =>
  inSpan(
    'append',
    {
      of: originOf(metadata),
      attributes: { 'finality.stream_id': streamId, 'finality.event_types': events.map(({ type }) => type) },
    },
    async (tell) => {
      const appended = await write();
      tell({ 'finality.outcome': appended.outcome });
      if (appended.outcome !== 'appended') return appended;
      for (const { id, type, version, position } of appended.events) {
        const attributes = {
          'finality.stream_id': streamId,
          'finality.version': version,
          'finality.position': position,
        };
        mark(type, id, { kind: SpanKind.PRODUCER, attributes });
      }
      return appended;
    },
  );
